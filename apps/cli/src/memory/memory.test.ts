import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Discovery,
  type Endpoint,
  type EndpointStatus,
  GatewayError,
  type Verdict,
} from "@gw/interface";
import { type ManualClock, manualClock } from "@gw/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { StartFlags } from "../flags/table.js";
import type { EventLog } from "../log/event-log.js";
import { type Memory, openMemory, stateFilePath } from "./memory.js";
import { parseState, type State, writeState } from "./state-file.js";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-memory-"));
  path = join(folder, "endpoints.json");
});
afterEach(() => rm(folder, { recursive: true }));

const flags: StartFlags = { discoverySrv: "example.com" };
const endpoint = (host: string, priority = 0): Endpoint => ({ host, port: 2379, priority, weight: 0 });
const healthy: Verdict = { check: "etcd status", scope: "endpoint" };
const failing: Verdict = { ...healthy, error: new GatewayError("unhealthy", "no leader") };
const state: State = {
  savedAt: Date.now() - 90_000,
  discovery: "--discovery-srv=example.com",
  clusterId: "abc",
  endpoints: [endpoint("a", 10), endpoint("b", 20), endpoint("c", 10)],
  addresses: new Map(),
};

/** The status of an endpoint that is up and of which nothing is known. */
function status(host: string, rest: Partial<EndpointStatus> = {}): EndpointStatus {
  return {
    endpoint: endpoint(host),
    state: "up",
    unhealthy: false,
    inUse: false,
    connections: 0,
    since: 0,
    ...rest,
  };
}

/** A memory of the file, the lines of its log, and a pool whose endpoints the test sets. */
async function open(clock: ManualClock = manualClock(), given = flags) {
  const lines: string[] = [];
  const log: EventLog = {
    write: (name, fields) => lines.push(`${name} ${JSON.stringify(fields)}`),
    isEnabled: () => true,
    level: "info",
  };
  const memory = await openMemory(given, path, { log, clock });
  const pool = { statuses: [] as readonly EndpointStatus[], inspect: () => pool.statuses };
  return { memory, lines, clock, pool };
}

/** The hosts in the file; undefined if there is none. Waits for the write that the last step of the clock began. */
async function saved(memory?: Memory): Promise<readonly string[] | undefined> {
  await memory?.close();
  const text = await readFile(path, "utf8").catch(() => undefined);
  return text === undefined ? undefined : parseState(text).endpoints.map(({ host }) => host);
}

describe("the path of the state file", () => {
  test.each([
    [undefined, undefined, undefined],
    [undefined, "", undefined],
    [undefined, "relative", undefined],
    [undefined, "/var/lib/gw:/var/lib/other", "/var/lib/gw/endpoints.json"],
    ["off", "/var/lib/gw", undefined],
    ["./off", "/var/lib/gw", "./off"],
  ])("is, with --state-file %s and STATE_DIRECTORY %s, %s", (stateFile, STATE_DIRECTORY, expected) => {
    const given = stateFile === undefined ? {} : { stateFile };
    expect(stateFilePath(given, { STATE_DIRECTORY })).toBe(expected);
  });
});

describe("what is saved", () => {
  test("is nothing until an endpoint has proven itself, then all that may be good", async () => {
    const { memory, pool } = await open();
    memory.follow(pool, () => undefined);
    pool.statuses = [status("a"), status("b", { state: "down" }), status("c", { verdict: failing })];
    expect(await saved(memory)).toBeUndefined();
    const { memory: next, pool: proven } = await open();
    next.follow(proven, () => undefined);
    proven.statuses = [
      status("a"),
      status("b", { state: "down" }),
      status("c", { verdict: failing }),
      status("d", { verdict: healthy }),
      status("e", { state: "draining", verdict: healthy }),
    ];
    expect(await saved(next)).toEqual(["a", "d"]);
  });

  test.each([
    ["a client", { inUse: true }],
    ["a check", { verdict: healthy }],
  ])("may be proven by %s", async (_, proof) => {
    const { memory, pool } = await open();
    memory.follow(pool, () => undefined);
    pool.statuses = [status("a", proof)];
    expect(await saved(memory)).toEqual(["a"]);
  });

  test("keeps an endpoint that is down now and was good before, while discovery has it", async () => {
    await writeState(path, { ...state, endpoints: [endpoint("a"), endpoint("gone")] });
    const { memory, pool } = await open();
    memory.follow(pool, () => undefined);
    pool.statuses = [status("a", { state: "down" }), status("b", { inUse: true })];
    expect(await saved(memory)).toEqual(["a", "b"]);
  });

  test("has no endpoints once discovery has removed them all", async () => {
    await writeState(path, state);
    const { memory, pool } = await open();
    memory.follow(pool, () => undefined);
    expect(await saved()).toEqual(["a", "b", "c"]);
    memory.forget();
    expect(await saved(memory)).toEqual([]);
  });

  test.each(["def", undefined])("has the id of the cluster of this run, if one is verified: %s", async id => {
    await writeState(path, state);
    const { memory, pool } = await open();
    expect(memory.clusterId).toBe("abc");
    memory.follow(pool, () => id);
    pool.statuses = [status("a", { inUse: true })];
    await memory.close();
    expect(parseState(await readFile(path, "utf8")).clusterId).toBe(id);
  });

  test("is written once in ten seconds at most, and only when it has changed", async () => {
    const { memory, pool, clock } = await open();
    memory.follow(pool, () => undefined);
    pool.statuses = [status("a", { inUse: true })];
    await clock.advance(1_000);
    await expect.poll(() => saved()).toEqual(["a"]);
    // The next time to look is set when the write has ended.
    await expect.poll(() => clock.pending).toBe(1);
    await writeFile(path, "changed by the test");
    await clock.advance(3_600_000);
    expect(await readFile(path, "utf8")).toBe("changed by the test");
    pool.statuses = [status("a", { inUse: true }), status("b")];
    await clock.advance(10_000);
    await expect.poll(() => saved().catch(() => undefined)).toEqual(["a", "b"]);
    await expect.poll(() => clock.pending).toBe(1);
    pool.statuses = [...pool.statuses, status("c")];
    await clock.advance(9_999);
    expect(await saved()).toEqual(["a", "b"]);
    expect(await saved(memory)).toEqual(["a", "b", "c"]);
    expect(clock.pending).toBe(0);
  });
});

describe("remembered endpoints", () => {
  /** A source that has failed, and has no endpoints yet. */
  const failed: Discovery = {
    async *watch({ signal, onSettled }) {
      onSettled?.(new GatewayError("name-not-resolved", "no answer"));
      await new Promise<void>(resolve => signal.addEventListener("abort", () => resolve()));
    },
  };
  const first = async (memory: Memory): Promise<readonly Endpoint[] | undefined> => {
    const controller = new AbortController();
    const sets = memory.withEndpoints(failed).watch({ signal: controller.signal })[Symbol.asyncIterator]();
    const turn = new Promise<undefined>(resolve => setImmediate(() => resolve(undefined)));
    const found = await Promise.race([sets.next(), turn]);
    controller.abort();
    return found?.value ?? undefined;
  };

  test("have the worst priorities, in their order, and the log has their age", async () => {
    await writeState(path, state);
    const { memory, lines } = await open();
    expect(memory.isRemembered(endpoint("a"))).toBe(false);
    expect(await first(memory)).toEqual([
      endpoint("a", 65_534),
      endpoint("b", 65_535),
      endpoint("c", 65_534),
    ]);
    expect(memory.isRemembered(endpoint("a"))).toBe(true);
    expect(memory.isRemembered(endpoint("z"))).toBe(false);
    expect(lines).toEqual([
      expect.stringMatching(/^remembered endpoints used .*"a:2379".*"age":"1m3\ds","reason":"no answer"/),
    ]);
  });

  test("that were found with other flags are not used; the id of the cluster is", async () => {
    await writeState(path, state);
    const { memory, lines } = await open(manualClock(), { discoverySrv: "example.org" });
    expect(await first(memory)).toBeUndefined();
    expect(memory.clusterId).toBe("abc");
    expect(lines).toEqual([expect.stringContaining("state file ignored")]);
  });

  test("are none where the file is damaged", async () => {
    await writeFile(path, "{", { mode: 0o600 });
    const { memory, lines } = await open();
    expect(await first(memory)).toBeUndefined();
    expect(lines).toEqual([expect.stringContaining("it is not JSON")]);
  });
});

test("without a file, nothing is remembered and nothing is saved", async () => {
  const log: EventLog = { write: () => expect.fail("logged"), isEnabled: () => true, level: "info" };
  const memory = await openMemory(flags, undefined, { log });
  const source: Discovery = { watch: () => expect.fail("watched") };
  expect(memory.withEndpoints(source)).toBe(source);
  const lookup = async () => ({ addresses: [] });
  expect(memory.withAddresses(lookup)).toBe(lookup);
  memory.follow({ inspect: () => [status("a", { inUse: true })] }, () => "abc");
  await memory.close();
  expect(await saved()).toBeUndefined();
});
