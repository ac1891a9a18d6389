import { etcdctl, freePort, missing, startEtcd } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { recordEvents, watched } from "../../test/watched.js";
import { parseEndpoints } from "../parse.js";
import { staticEndpoints } from "../static.js";
import { type MembersOptions, members } from "./members.js";

const often = { intervalMs: 100, minRefreshMs: 100, timeoutMs: 30_000 };

function membersOf(endpoints: string, options: Partial<MembersOptions> = {}) {
  return members({ seeds: staticEndpoints(parseEndpoints(endpoints).endpoints), ...often, ...options });
}

function all(...endpoints: readonly string[]): string {
  return endpoints.toSorted().join(" ");
}

describe.skipIf(missing("etcd", "etcdctl"))("the members of a real etcd", () => {
  test("come and go: unstarted, learner, promoted, removed", async () => {
    await using cluster = await startEtcd(1);
    const [first] = cluster.members;
    const observer = recordEvents();
    await using watch = watched(membersOf(`http://${cluster.endpoints}`, { observer }));
    expect(await watch.next()).toBe(first?.endpoint);
    expect(await observer.events.take()).toBe(`discovered +${first?.endpoint}`);

    const learner = await cluster.add({ learner: true });
    const promoted = watch.next();
    expect(await observer.events.take()).toContain(`${learner.endpoint} is a learner`);
    await cluster.promote(learner);
    expect(await promoted).toBe(all(`${first?.endpoint}`, learner.endpoint));
    expect(await observer.events.take()).toBe(`discovered +${learner.endpoint}`);

    // A member that was added and never starts: the next event shows that none was reported for it.
    const third = await cluster.add();
    expect(await watch.next()).toBe(all(`${first?.endpoint}`, learner.endpoint, third.endpoint));
    const peer = `http://127.0.0.1:${await freePort()}`;
    const flags = ["member", "add", "late", `--peer-urls=${peer}`];
    let added = await etcdctl(cluster.endpoints, ...flags);
    // etcd refuses until the member before is in touch with the others.
    while (added.stderr.includes("unhealthy")) added = await etcdctl(cluster.endpoints, ...flags);
    const unstarted = /Member\s+(\w+) added/.exec(added.stdout)?.[1] ?? added.stderr;
    watch.refresh();
    const removed = await etcdctl(cluster.endpoints, "member", "remove", unstarted);
    expect(removed.stderr).toBe("");

    // The member that was the only seed leaves: the members that it listed are asked.
    await cluster.remove(cluster.member(`${first?.endpoint}`));
    expect(await watch.next()).toBe(all(learner.endpoint, third.endpoint));
    expect(await observer.events.take()).toBe(`discovered +${third.endpoint}`);
    expect(await observer.events.take()).toBe(`discovered -${first?.endpoint}`);
  });

  test("hold when all of them are down", async () => {
    await using cluster = await startEtcd(1);
    const [only] = cluster.members;
    const observer = recordEvents();
    await using watch = watched(membersOf(cluster.endpoints, { observer }));
    await watch.next();
    expect(await watch.next()).toBe(only?.endpoint);
    expect(await observer.events.take()).toBe(`discovered +${only?.endpoint}`);
    const next = watch.next();
    await only?.crash();
    expect(await observer.events.take()).toContain("discoveryFailed");
    await only?.restart();
    for (let event = ""; event !== "discoveryRecovered"; ) event = await observer.events.take();
    const second = await cluster.add();
    expect(await next).toBe(all(`${only?.endpoint}`, second.endpoint));
  });

  test("are listed for a user who logs in", async () => {
    await using cluster = await startEtcd(1);
    const { endpoints } = cluster;
    for (const command of [
      "role add root",
      "user add root:secret",
      "user grant-role root root",
      "auth enable",
    ])
      expect((await etcdctl(endpoints, ...command.split(" "))).code, command).toBe(0);
    const auth = { user: "root", password: "secret" };
    await using watch = watched(membersOf(endpoints, { auth }));
    await watch.next();
    expect(await watch.next()).toBe(endpoints);
    const observer = recordEvents();
    await using refused = watched(membersOf(endpoints, { auth: { ...auth, password: "wrong" }, observer }));
    await refused.next();
    const end = refused.next();
    expect(await observer.events.take()).toBe(
      `discoveryFailed [not-permitted] no server lists the members: ask ${endpoints} as "root": it refuses, "etcdserver: authentication failed, invalid user ID or password" (status 400)`,
    );
    void end;
  });
});
