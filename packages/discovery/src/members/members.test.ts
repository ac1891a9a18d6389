import { discoveryCompliance } from "@gw/compliance";
import { type Discovery, GatewayError } from "@gw/interface";
import { freePort, queue } from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type FakeCluster,
  json,
  type Respond,
  startFakeCluster,
  startFakeEtcd,
} from "../../test/fake-etcd.js";
import { recordEvents, watched } from "../../test/watched.js";
import { parseEndpoint, parseEndpoints } from "../parse.js";
import { staticEndpoints } from "../static.js";
import { members } from "./members.js";

/** Only a refresh or a change of the seeds makes it ask again. */
const never = { intervalMs: 3_600_000, minRefreshMs: 3_600_000, maxRefreshMs: 3_600_000 };
const often = { intervalMs: 20, minRefreshMs: 20 };

function seeds(...list: readonly string[]): Discovery {
  return staticEndpoints(parseEndpoints(list.join(",")).endpoints);
}

/** Sorted, as `watched` formats sets. */
function all(...addresses: readonly (string | undefined)[]): string {
  return addresses.toSorted().join(" ");
}

describe("members of a cluster", () => {
  let cluster: FakeCluster;
  let everybody: FakeCluster["list"];
  beforeAll(async () => {
    cluster = await startFakeCluster(2);
    everybody = cluster.list;
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  const suite = discoveryCompliance({
    make() {
      cluster.list = everybody;
      return members({ seeds: seeds(...cluster.servers.map(({ url }) => url)), ...often });
    },
    change() {
      cluster.list = cluster.list === everybody ? everybody.slice(1) : everybody;
    },
  });
  for (const { name, run } of suite) test(name, run);
});

test("the seeds serve until the members are known", async () => {
  await using cluster = await startFakeCluster(3);
  const [first, second, third] = cluster.servers;
  const observer = recordEvents();
  await using watch = watched(members({ seeds: seeds(`${first?.address}`), ...never, observer }));
  expect(await watch.next()).toBe(first?.address);
  expect(await watch.next()).toBe(all(first?.address, second?.address, third?.address));
  expect(first?.asked).toEqual([
    { path: "POST /v3/cluster/member/list", token: undefined, body: { linearizable: true } },
  ]);
  expect(await observer.events.take()).toMatch(/^discovered \+127/);
});

test("the cluster has to agree on the first list, and on one that differs: a server with an old list is not believed", async () => {
  const asked: unknown[] = [];
  let [remembered, agreed]: (readonly { name: string; clientURLs: string[] }[])[] = [[], []];
  const respond: Respond = ({ body }, response) => {
    asked.push(body);
    json(response, 200, { members: (body as { linearizable: boolean }).linearizable ? agreed : remembered });
  };
  await using first = await startFakeEtcd(respond);
  await using second = await startFakeEtcd(respond);
  const [one, both] = [[first], [first, second]].map(some =>
    some.map(({ address, url }) => ({ name: address, clientURLs: [url] })),
  );
  [remembered, agreed] = [one, one];
  const [memory, majority] = [{ linearizable: false }, { linearizable: true }];
  await using watch = watched(members({ seeds: seeds(second.url), ...never }));
  expect(await watch.next()).toBe(second.address);
  expect(await watch.next()).toBe(first.address);
  expect(asked).toEqual([majority]);
  watch.refresh();
  await expect.poll(() => asked).toEqual([majority, memory]);
  remembered = both;
  watch.refresh();
  await expect.poll(() => asked).toEqual([majority, memory, memory, majority]);
  agreed = both;
  const next = watch.next();
  watch.refresh();
  expect(await next).toBe(all(first.address, second.address));
  expect(asked.slice(4)).toEqual([memory, majority]);
});

test("learners, members that have not started, and sockets in the file system are left out", async () => {
  await using cluster = await startFakeCluster(3);
  const [first, second, third] = cluster.servers;
  cluster.list = [
    { name: "m0", clientURLs: [`${first?.url}`] },
    {},
    { name: "m1", clientURLs: [`${second?.url}`], isLearner: true },
    { name: "m2", clientURLs: ["unix:///run/etcd.sock", `${third?.url}`] },
    { name: "m3", clientURLs: ["unixs://etcd:0"] },
  ];
  const observer = recordEvents();
  await using watch = watched(members({ seeds: seeds(`${second?.url}`), ...never, observer }));
  expect(await watch.next()).toBe(second?.address);
  expect(await watch.next()).toBe(all(first?.address, third?.address));
  expect(await observer.events.take()).toBe(
    `endpointRejected [invalid-endpoint] ${second?.address} is a learner, which does not serve until it is promoted`,
  );
  await observer.events.take();
  const next = watch.next();
  // At the second request the learner is still one, which is not reported again.
  watch.refresh();
  await expect.poll(() => cluster.servers.flatMap(({ asked }) => asked).length).toBe(2);
  cluster.list = cluster.list.map(({ isLearner: _, ...member }) => member);
  watch.refresh();
  expect(await next).toBe(all(first?.address, second?.address, third?.address));
  expect(await observer.events.take()).toBe(`discovered +${second?.address}`);
});

test("a member with several client URLs is one endpoint, at the first that can be reached", async () => {
  await using cluster = await startFakeCluster(2);
  const [first, second] = cluster.servers;
  const dead = `http://127.0.0.1:${await freePort()}`;
  cluster.list = [{ name: "m0", clientURLs: [dead, `${second?.url}`, `${first?.url}`] }];
  const observer = recordEvents();
  await using watch = watched(members({ seeds: seeds(`${first?.url}`), ...never, observer }));
  expect(await watch.next()).toBe(first?.address);
  expect(await watch.next()).toBe(second?.address);
  expect(await observer.events.take()).toBe(`discovered +${second?.address}`);
});

test("a member that cannot be reached is used, and reported once", async () => {
  await using cluster = await startFakeCluster(1);
  const [first] = cluster.servers;
  const dead = `127.0.0.1:${await freePort()}`;
  cluster.list = [...cluster.list, { name: "m1", clientURLs: [`http://${dead}`] }];
  const observer = recordEvents();
  await using watch = watched(members({ seeds: seeds(`${first?.url}`), ...often, observer }));
  expect(await watch.next()).toBe(first?.address);
  expect(await watch.next()).toBe(all(first?.address, dead));
  expect(await observer.events.take()).toBe(
    `endpointUnreachable [refused] connect to ${dead}: connection refused (ECONNREFUSED)`,
  );
  expect(await observer.events.take()).toContain("discovered");
  const asked = first?.asked.length ?? 0;
  await expect.poll(() => first?.asked.length).toBeGreaterThan(asked + 1);
  cluster.list = [...cluster.list, { name: "m2", clientURLs: ["http://0.0.0.0:2379"] }];
  expect(await observer.events.take()).toBe(
    "endpointRejected [unreachable] 0.0.0.0:2379 is an address to listen at, not one to connect to",
  );
});

test("where no advertised URL can be reached, the seeds stay in use", async () => {
  await using cluster = await startFakeCluster(2);
  const [first, second] = cluster.servers;
  const real = cluster.list;
  cluster.list = [{ name: "m0", clientURLs: ["http://etcd-0.internal:2379"] }];
  const lookup = async (host: string): Promise<readonly string[]> => {
    if (host === "127.0.0.1") return [host];
    throw new GatewayError("name-not-resolved", `${host} is not known`);
  };
  const observer = recordEvents();
  await using watch = watched(members({ seeds: seeds(`${first?.url}`), ...never, observer, lookup }));
  expect(await watch.next()).toBe(first?.address);
  const next = watch.next();
  const why = "connect to etcd-0.internal:2379: etcd-0.internal is not known";
  expect(await observer.events.take()).toBe(`endpointUnreachable [name-not-resolved] ${why}`);
  expect(await observer.events.take()).toBe(
    `discoveryFailed [unreachable] none of the client URLs that the members advertise can be reached from here (1): ${why}`,
  );
  cluster.list = real;
  watch.refresh();
  expect(await next).toBe(all(first?.address, second?.address));
  expect(await observer.events.take()).toBe("discoveryRecovered");
});

test("the seeds are used again when the members are gone and those that a seed lists cannot be reached", async () => {
  await using cluster = await startFakeCluster(2);
  const [seed, member] = cluster.servers;
  cluster.list = [{ name: "m0", clientURLs: [`${member?.url}`] }];
  await using watch = watched(members({ seeds: seeds(`${seed?.url}`), ...never }));
  expect(await watch.next()).toBe(seed?.address);
  expect(await watch.next()).toBe(member?.address);
  await member?.stop();
  cluster.list = [{ name: "m1", clientURLs: [`http://127.0.0.1:${await freePort()}`] }];
  watch.refresh();
  expect(await watch.next()).toBe(seed?.address);
  await member?.listenAgain();
  cluster.list = [{ name: "m0", clientURLs: [`${member?.url}`] }];
  watch.refresh();
  expect(await watch.next()).toBe(member?.address);
});

test("while no server answers the last list stays in use, and one failure is reported", async () => {
  await using cluster = await startFakeCluster(2);
  const [first, second] = cluster.servers;
  const observer = recordEvents();
  await using watch = watched(members({ seeds: seeds(`${first?.url}`), ...often, observer }));
  expect(await watch.next()).toBe(first?.address);
  expect(await watch.next()).toBe(all(first?.address, second?.address));
  await observer.events.take();
  const next = watch.next();
  await Promise.all(cluster.servers.map(server => server.stop()));
  const [one, two] = [first?.address, second?.address].toSorted();
  const refused = "connection refused (ECONNREFUSED)";
  let failure = await observer.events.take();
  // The first request that fails may have been under way when the servers stopped.
  while (failure.includes("reset")) failure = await observer.events.take();
  expect(failure).toBe(
    `discoveryFailed [refused] no server lists the members: ask ${one}: ${refused}; ask ${two}: ${refused}`,
  );
  cluster.list = cluster.list.slice(1);
  await second?.listenAgain();
  expect(await observer.events.take()).toBe("discoveryRecovered");
  expect(await next).toBe(second?.address);
});

describe("seeds", () => {
  test("that change are asked at once", async () => {
    await using cluster = await startFakeCluster(1);
    const [server] = cluster.servers;
    const sets = queue<string>();
    const changing: Discovery = {
      async *watch({ signal }) {
        const aborted = new Promise<string>(resolve => signal.addEventListener("abort", () => resolve("")));
        while (!signal.aborted) {
          const next = await Promise.race([sets.take(), aborted]);
          if (next) yield Object.freeze([parseEndpoint(next)]);
        }
      },
    };
    const observer = recordEvents();
    await using watch = watched(members({ seeds: changing, ...never, observer }));
    const dead = `http://127.0.0.1:${await freePort()}`;
    sets.put(dead);
    expect(await watch.next()).toBe(dead.slice("http://".length));
    expect(await observer.events.take()).toContain("discoveryFailed [refused]");
    sets.put(`${server?.url}`);
    expect(await watch.next()).toBe(server?.address);
    expect(await observer.events.take()).toBe("discoveryRecovered");
  });

  test("that throw end it with their error", async () => {
    const broken: Discovery = {
      async *watch() {
        yield await Promise.reject(new GatewayError("invalid-option", "no such file"));
      },
    };
    await using watch = watched(members({ seeds: broken }));
    await expect(watch.next()).rejects.toThrow("[invalid-option] no such file");
  });

  test("of which there are none, ever, end it", async () => {
    await using watch = watched(members({ seeds: { async *watch() {} } }));
    expect(await watch.next()).toBe("ended");
  });
});

test("invalid options are rejected", () => {
  expect(() => members({ seeds: seeds("a"), intervalMs: 0 })).toThrow("[invalid-option] intervalMs 0");
  expect(() => members({ seeds: seeds("a"), timeoutMs: Number.NaN })).toThrow("[invalid-option] timeoutMs");
  expect(() => members({ seeds: seeds("a"), minRefreshMs: 2, maxRefreshMs: 1 })).toThrow("[invalid-option]");
});
