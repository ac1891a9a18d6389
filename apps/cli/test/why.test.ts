import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  connectTo,
  echo,
  etcdctl,
  type Gw,
  missing,
  runGw,
  startBackend,
  startEtcd,
  startGw,
} from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endpointView, type Json, startAdminStub } from "./admin-stub.js";
import { inUse } from "./in-use.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-why-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function adminOf(gw: Gw): Promise<string> {
  const { address } = await gw.logged(/^admin server ready$/);
  return String(address);
}

async function saved(gw: Gw, name: string): Promise<string> {
  const answer = await fetch(`http://${await adminOf(gw)}/events?replay`);
  const file = join(folder, name);
  await writeFile(file, await answer.text());
  return file;
}

describe.skipIf(missing("etcd", "etcdctl"))("in front of a real etcd cluster of three", () => {
  test("when the member in use is killed, gw why names it, and gw replay says what another flag changes", async () => {
    await using cluster = await startEtcd();
    await using gw = await startGw([
      `--endpoints=${cluster.endpoints}`,
      "--admin-addr=127.0.0.1:0",
      "--retry-delay=10s",
    ]);
    const address = await adminOf(gw);
    const before = await runGw(["why", `--admin-addr=${address}`]);
    expect(before.stdout).toMatch(/^No switch because of a failure is recorded\.\n/);
    expect(before.stdout).toMatch(/This gateway was started at .* nothing is known of the time before\./);

    await etcdctl(gw.address, "put", "key", "value");
    const killed = await inUse(gw, cluster);
    await killed.crash();
    await gw.logged(/^endpoint down$/, { endpoint: killed.endpoint });
    await etcdctl(gw.address, "get", "key");
    await gw.logged(/^failover$/);

    const why = await runGw(["why", `--admin-addr=${address}`]);
    expect(why).toMatchObject({ code: 0, stderr: "" });
    const now = await inUse(gw, cluster);
    expect(why.stdout).toMatch(
      new RegExp(
        `^The last switch was at \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\.\\d (UTC|[+-]\\d\\d:\\d\\d) \\(.* ago\\), from ${killed.endpoint} to ${now.endpoint}\\.\nThe reason: .*refused`,
      ),
    );
    expect(why.stdout).toContain(`${killed.endpoint} was marked down: `);
    expect(why.stdout).toContain(`New connections have gone to ${now.endpoint} since.`);
    expect(why.stdout).toMatch(new RegExp(`${killed.endpoint} is down since .*\nIt is tried again at `));

    const about = await runGw(["why", killed.endpoint, `--admin-addr=${address}`, "--json"]);
    const { sentences, events } = JSON.parse(about.stdout);
    expect(sentences[0]).toMatch(`${killed.endpoint} is down since `);
    expect(events.map(({ event }: { event: string }) => event)).toContain("endpoint down");

    const file = await saved(gw, "etcd.json");
    const same = await runGw(["replay", file]);
    expect(same).toMatchObject({ code: 0, stderr: "" });
    expect(same.stdout).toMatch(/\nThe same decisions\.\n$/);
    const other = await runGw(["replay", file, "--retry-delay=1h"]);
    expect(other.stdout).toContain(`, ${killed.endpoint} was marked down (`);
    expect(other.stdout).toMatch(/the next try .* later; it would have been \d+ min later\./);
  }, 60_000);
});

/** What `gw why` prints of a gateway whose status and events a test changes. */
async function whyOf(
  change: (stub: { status: Json; events: Json[] }) => void,
  ...args: string[]
): Promise<string> {
  await using stub = await startAdminStub();
  change(stub);
  const run = await runGw(["why", ...args, `--admin-addr=${stub.address}`], { env: { TZ: "UTC" } });
  expect(run).toMatchObject({ code: 0, stderr: "" });
  return run.stdout;
}

/** An event of a stub, `second` seconds after 11:59. */
function eventAt(second: number, event: string, more: object = {}): Json {
  const at = `2026-01-01T11:59:${String(second).padStart(2, "0")}.000Z`;
  return { id: second, at, event, text: `It was ${event}.`, ...more };
}

const failover = eventAt(10, "failover", {
  endpoint: "10.0.0.2:2379",
  reason: "connection refused",
  data: { from: "10.0.0.1:2379", to: "10.0.0.2:2379" },
});

/** No endpoint is up, and none is in use. */
function setUnready(status: Json): void {
  status.ready = false;
  delete status.inUse;
  delete status.inUseSince;
  for (const view of status.endpoints) {
    view.inUse = false;
    view.state = "down";
    view.reason = "connection refused";
  }
}

describe("when no endpoint can be used", () => {
  test("the first sentence has the reason of each, and clients are turned away", async () => {
    const stdout = await whyOf(({ status, events }) => {
      setUnready(status);
      status.endpoints[0].totals.connected = 3;
      Object.assign(status.endpoints[1], {
        state: "held",
        hold: "drained",
        reason: "drained by an operator",
      });
      status.connections.unserved = 7;
      status.panic = { cause: "all-down", since: status.gateway.now, reason: "connection refused" };
      events.push(eventAt(1, "unserved", { count: 4, lastAt: "2026-01-01T11:59:05.000Z" }));
    });
    expect(stdout.split("\n").slice(0, 5)).toEqual([
      "No endpoint can be used now: 10.0.0.1:2379 is down: connection refused; 10.0.0.2:2379 is drained by an operator; 10.0.0.3:2379 is down: connection refused.",
      "Endpoints that are down are tried for each client all the same.",
      "Clients are turned away: 7 clients were closed without an endpoint since the start, the last known at 11:59:05.0.",
      "",
      "No switch because of a failure is recorded.",
    ]);
    expect(stdout).toContain("  11:59:01.0  It was unserved. (4 times until 11:59:05.0)");
    expect(stdout).not.toContain("No client has been connected");
    expect(stdout).toContain("was started at 2026-01-01 10:00:00.0 UTC (2 h ago)");
  });

  test("of thousands of endpoints five are named, and the others counted", async () => {
    const stdout = await whyOf(({ status }) => {
      status.endpoints = Array.from({ length: 2_000 }, (_, port) => endpointView(`10.0.0.1:${port + 1}`));
      setUnready(status);
      status.endpoints[1_999].state = "foreign";
    });
    const [first = ""] = stdout.split("\n");
    expect(first.split("; ")).toHaveLength(6);
    expect(first).toMatch(/; 1995 more \(2000 in all: 1999 down, 1 of another cluster\)\.$/);
  });

  test("after a switch, what operators did and clients that were turned away are told", async () => {
    const stdout = await whyOf(({ status, events }) => {
      setUnready(status);
      Object.assign(status.endpoints[1], {
        state: "held",
        hold: "down",
        reason: "marked down by an operator",
      });
      events.push(
        failover,
        eventAt(11, "endpoint drained", { endpoint: "10.0.0.3:2379" }),
        eventAt(12, "endpoint taken back", { endpoint: "10.0.0.3:2379" }),
        eventAt(13, "endpoint marked down", { endpoint: "10.0.0.2:2379" }),
        eventAt(14, "endpoints changed"),
        eventAt(15, "unserved"),
      );
    });
    expect(stdout).toMatch(/^No endpoint can be used now: .*\n.*\n\nThe last switch was at /);
    for (const second of [11, 12, 13, 14, 15]) expect(stdout).toContain(`  11:59:${second}.0  It was `);
    expect(stdout).toContain("An operator has marked down 10.0.0.2:2379 since ");
    expect(stdout).toContain("10.0.0.1:2379 is down since ");
    expect(stdout).not.toContain("New connections have gone to");
  });
});

describe("when no endpoint is in use", () => {
  test("although clients were connected, it does not say that none has been", async () => {
    const stdout = await whyOf(({ status }) => {
      delete status.inUse;
      status.endpoints[2].totals.connected = 1;
    });
    expect(stdout).toContain("\nThe endpoint of the newest connection is no longer used.\n");
  });

  test("before the first client, it says so", async () => {
    const stdout = await whyOf(({ status }) => {
      delete status.inUse;
      status.connections.accepted = 0;
    });
    expect(stdout).toContain("\nNo client has been connected yet.\n");
  });
});

test("events of many endpoints at once may be of the one that is asked about", async () => {
  const data = { grouped: true, endpoints: ["10.0.0.1:2379"], count: 127 };
  const text = "127 more endpoints were marked down, the last 10.0.9.9:2379: connection refused.";
  const events = [
    eventAt(3, "endpoint down", { count: 127, lastAt: "2026-01-01T11:59:05.000Z", data, text }),
  ];
  const change = (stub: { events: Json[] }): void => void stub.events.push(...events);
  expect(await whyOf(change, "10.0.0.1")).toContain(`  11:59:03.0  ${text} (until 11:59:05.0)\n`);
  expect(await whyOf(change, "10.0.0.3")).toContain(
    "127 events of many endpoints at once, the first at 11:59:03.0, are kept as a count: some may be of 10.0.0.3:2379.\n",
  );
});

test("an endpoint that is drained while it is the only one is explained, and clients that it had are not forgotten", async () => {
  await using backend = await startBackend(echo);
  await using gw = await startGw([
    `--endpoints=127.0.0.1:${backend.port}`,
    "--health-check=off",
    "--admin-addr=127.0.0.1:0",
    "--admin-actions",
  ]);
  const address = await adminOf(gw);
  (await connectTo(gw.port)).destroy();
  await gw.logged(/^connected$/);
  const drained = await runGw(["drain", `127.0.0.1:${backend.port}`, "--force", `--admin-addr=${address}`]);
  expect(drained).toMatchObject({ code: 0 });
  const client = await connectTo(gw.port);
  client.on("error", () => undefined).resume();
  await gw.logged(/^unserved$/);
  const { stdout } = await runGw(["why", `--admin-addr=${address}`]);
  expect(stdout).toMatch(
    /^No endpoint can be used now: 127\.0\.0\.1:\d+ is drained by an operator\.\nClients are turned away: 1 client was closed/,
  );
  expect(stdout).not.toContain("No client has been connected");
  expect((await runGw(["top", `--admin-addr=${address}`])).stdout).toMatch(/^in use none$/m);
}, 60_000);

describe("a record that is replayed", () => {
  test("has what happened when an endpoint was down and up again; a longer delay marks it up later", async () => {
    await using first = await startBackend(echo);
    await using second = await startBackend(echo);
    const [name, other] = [`127.0.0.1:${first.port}`, `127.0.0.1:${second.port}`];
    await using gw = await startGw([
      `--endpoints=${name},${other}`,
      "--selector=first",
      "--health-check=off",
      "--admin-addr=127.0.0.1:0",
      "--retry-delay=100ms",
    ]);
    (await connectTo(gw.port)).destroy();
    await gw.logged(/^connected$/);
    await first.stop();
    const client = await connectTo(gw.port);
    await gw.logged(/^failover$/, { to: other });
    await gw.logged(/^endpoint still down$/);
    await first.listenAgain();
    await gw.logged(/^endpoint up$/);
    client.destroy();
    const file = await saved(gw, "up.json");
    expect((await runGw(["replay", file])).stdout).toMatch(/\nThe same decisions\.\n$/);
    const later = await runGw(["replay", file, "--retry-delay=10h", "--max-retry-delay=20h", "--json"]);
    const { same, sentences } = JSON.parse(later.stdout);
    expect(same).toBe(false);
    const short = await runGw(["replay", file, "--retry-delay=5m", "--max-retry-delay=1s"]);
    expect(short).toMatchObject({ code: 2, stdout: "" });
    expect(short.stderr).toContain("--max-retry-delay 1s is less than --retry-delay 5m\n");
    const shorter = await runGw(["replay", file, "--max-retry-delay=1ms"]);
    expect(shorter.stderr).toContain(
      "--max-retry-delay 1ms is less than --retry-delay 100ms, that of the record",
    );
    expect(sentences.join("\n")).toContain(`${name} was marked up; that would not have happened.`);
  }, 60_000);
});

describe("bad usage is one line, and exit code 2", () => {
  test.each([
    ["no file", ["replay", "/nowhere"], /"\/nowhere" does not exist/],
    ["a folder", ["replay", "/"], /"\/" is a directory/],
    [
      "a flag that changes nothing",
      ["replay", "/nowhere", "--health-interval=5s"],
      /--health-interval changes nothing in a replay: the verdicts/,
    ],
    ["an invalid value", ["replay", "/nowhere", "--retry-delay=5"], /"5" is not a duration/],
    ["no address", ["why"], /give --admin-addr or GW_ADMIN_ADDR/],
    ["an endpoint that is none", ["why", "a:b:c", "--admin-addr=127.0.0.1:1"], /"a:b:c"/],
  ])("%s", async (_, args, message) => {
    const { code, stderr } = await runGw(args);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(code).toBe(2);
  });

  test.each([
    ["not JSON", "x", /is not JSON/],
    ["something else", "[1]", /is not the answer of a gateway/],
    ["events alone", '{"schema":1,"events":[]}', /has events and no record/],
    ["another schema", '{"record":{"schema":2,"items":[]}}', /schema "2"; this gw reads schema 1/],
    ["a damaged one", '{"record":{"schema":1,"items":[{}]}}', /has a damaged record: /],
  ])("a file with %s", async (name, content, message) => {
    const file = join(folder, `${name}.json`);
    await writeFile(file, content);
    const { code, stderr } = await runGw(["replay", file]);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(code).toBe(2);
  });
});
