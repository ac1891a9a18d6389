import { type Endpoint, GatewayError, type Verdict } from "@gw/interface";
import { type ManualClock, manualClock } from "@gw/testing";
import { beforeEach, describe, expect, test } from "vitest";
import type { RecordedEvent } from "../contract/events.js";
import { createRecorder, type Recorder } from "./recorder.js";

const a: Endpoint = { host: "10.0.0.1", port: 2379, priority: 0, weight: 0 };
const b: Endpoint = { host: "10.0.0.2", port: 2379, priority: 0, weight: 0 };
const refused = new GatewayError("refused", "dial 10.0.0.1:2379: connection refused (ECONNREFUSED)");
const begin = Date.UTC(2026, 0, 2, 10, 3, 12);

let clock: ManualClock;
let recorder: Recorder;
beforeEach(() => {
  clock = manualClock();
  recorder = createRecorder(clock, () => begin + clock.now());
});

const connected = (endpoint: Endpoint): void =>
  recorder.observer.connected?.({ connection: 1, endpoint, address: endpoint, dialMs: 1 });
const dialFailed = (error: GatewayError = refused): void =>
  recorder.observer.dialFailed?.({ connection: 1, endpoint: a, error });
const checked = (error?: GatewayError): void => {
  const verdict: Verdict = { check: "etcd /readyz", scope: "endpoint", error };
  recorder.observer.checked?.({ endpoint: a, verdict, depth: "regular", tookMs: 2 });
};
const events = (): readonly RecordedEvent[] => recorder.events().events;
const names = (): readonly string[] => events().map(({ event }) => event);

describe("evidence", () => {
  test("repeats within ten seconds become one item with a count", async () => {
    for (let dial = 0; dial < 3; dial++) {
      dialFailed();
      await clock.advance(100);
    }
    expect(events()).toEqual([
      {
        id: 1,
        at: "2026-01-02T10:03:12.000Z",
        lastAt: "2026-01-02T10:03:12.200Z",
        count: 3,
        event: "dial failed",
        endpoint: "10.0.0.1:2379",
        reason: refused.detail,
        data: { code: "refused" },
        text: `A client's connection to 10.0.0.1:2379 failed: ${refused.detail}.`,
      },
    ]);
    await clock.advance(10_001);
    dialFailed();
    expect(events()).toHaveLength(2);
  });

  test("after a decision, evidence is a new item", () => {
    dialFailed();
    recorder.observer.endpointDown?.({ endpoint: a, error: refused, retryInMs: 60_000 });
    dialFailed();
    expect(names()).toEqual(["dial failed", "endpoint down", "dial failed"]);
    expect(events()[1]?.text).toBe(
      `10.0.0.1:2379 was marked down: ${refused.detail}. It is tried again in 60 s.`,
    );
  });

  test("healthy checks are recorded only after an unhealthy one", () => {
    checked();
    checked(new GatewayError("unhealthy", "no leader"));
    checked();
    checked();
    expect(events().map(({ reason }) => reason)).toEqual(["no leader", "healthy again"]);
  });

  test("connections that end as they should are not recorded", () => {
    const end = { connection: 1, listener: "", tries: 1, durationMs: 1, dialMs: 1, endpoint: a };
    const bytes = { bytesFromClient: 0, bytesFromBackend: 0 };
    recorder.observer.closed?.({ ...end, ...bytes, reason: "finished" });
    recorder.observer.closed?.({ ...end, ...bytes, reason: "client-failed" });
    recorder.observer.closed?.({ ...end, ...bytes, reason: "backend-failed" });
    expect(names()).toEqual(["closed"]);
  });

  test("suspicions that mean nothing most of the time are not recorded", () => {
    recorder.suspected(a, "ended");
    recorder.suspected(a, "stalled");
    expect(names()).toEqual(["endpoint suspected"]);
  });
});

describe("picks", () => {
  test("connections to the same endpoint are not recorded", () => {
    for (let count = 0; count < 3; count++) connected(a);
    connected({ ...a });
    expect(names()).toEqual(["first pick"]);
  });

  test("a policy that alternates is one item", async () => {
    for (let count = 0; count < 50; count++) {
      connected(count % 2 === 0 ? a : b);
      await clock.advance(1_000);
    }
    expect(events().map(({ event, count }) => [event, count])).toEqual([
      ["first pick", undefined],
      ["pick changed", 49],
    ]);
  });

  test("a failover is no change of the policy", () => {
    connected(a);
    recorder.observer.failover?.({ from: a, to: b, why: "refused" });
    connected(b);
    expect(names()).toEqual(["first pick", "failover"]);
  });
});

describe("events for many endpoints at once", () => {
  const at = (number: number): Endpoint => ({ ...a, host: `10.1.${number >> 8}.${number & 255}` });
  const down = (number: number): void =>
    recorder.observer.endpointDown?.({ endpoint: at(number), error: refused, retryInMs: 60_000 });
  const stillDown = (number: number): void =>
    recorder.observer.endpointStillDown?.({ endpoint: at(number), error: refused, retryInMs: 60_000 });
  const fail = (number: number): void =>
    recorder.observer.checked?.({
      endpoint: at(number),
      verdict: { check: "tcp", scope: "endpoint", error: refused },
      depth: "regular",
      tookMs: 2,
    });

  test("of each kind the first twenty are items, the others are one with a count", async () => {
    recorder.record({ event: "log level", text: "Before." });
    for (let number = 0; number < 2_000; number++) {
      fail(number);
      down(number);
      recorder.observer.dialFailed?.({ connection: 1, endpoint: at(number), error: refused });
      await clock.advance(1);
    }
    for (let number = 0; number < 2_000; number++) stillDown(number);
    expect(events().length).toBeLessThan(100);
    expect(events()[0]?.text).toBe("Before.");
    expect(recorder.events().dropped).toBe(0);
    const downs = events().filter(({ event }) => event === "endpoint down");
    expect(downs).toHaveLength(21);
    const last = downs.at(-1);
    expect(last).toMatchObject({ count: 1_980, lastAt: new Date(begin + 1_999).toISOString() });
    expect(last).not.toHaveProperty("endpoint");
    expect(last?.text).toBe(
      `1980 more endpoints were marked down, the last 10.1.7.207:2379: ${refused.detail}.`,
    );
    expect(last?.data).toMatchObject({ grouped: true, count: 1_980 });
    expect(last?.data?.["endpoints"]).toHaveLength(20);
    expect(events().at(-1)?.text).toMatch(
      /^1980 more endpoints were tried again and are still down, the last /,
    );
  });

  test("one endpoint that fails often is not grouped, and neither are slow failures", async () => {
    for (let number = 0; number < 50; number++) {
      down(0);
      down(number);
      await clock.advance(1_000);
    }
    expect(events().some(({ data }) => data?.["grouped"])).toBe(false);
  });

  test("a new item begins after a minute, and single items after ten quiet seconds", async () => {
    for (let number = 0; number < 700; number++) {
      down(number);
      await clock.advance(100);
    }
    expect(
      events()
        .filter(({ data }) => data?.["grouped"])
        .map(({ count }) => count),
    ).toEqual([600, 80]);
    await clock.advance(10_001);
    down(1);
    expect(events().at(-1)?.endpoint).toBe("10.1.0.1:2379");
  });

  test("failed and successful checks are different items", () => {
    for (let number = 0; number < 100; number++) fail(number);
    for (let number = 0; number < 100; number++)
      recorder.observer.checked?.({
        endpoint: at(number),
        verdict: { check: "tcp", scope: "endpoint", error: undefined },
        depth: "regular",
        tookMs: 2,
      });
    expect(
      events()
        .filter(({ data }) => data?.["grouped"])
        .map(({ text }) => text.replace(/, the last.*/, "")),
    ).toEqual([
      "The health checks of 80 more endpoints failed",
      "The health checks of 80 more endpoints succeeded again",
    ]);
  });
});

describe("bounds", () => {
  test("a thousand items are kept, and the number of the others", () => {
    for (let count = 0; count < 1_500; count++) recorder.record({ event: "log level", text: `${count}` });
    expect(events()).toHaveLength(1_000);
    expect(recorder.events().dropped).toBe(500);
    expect(events()[0]?.id).toBe(501);
  });

  test("ten thousand endpoints are the first twenty and a count", () => {
    const added = Array.from({ length: 10_000 }, (_, port) => ({ ...a, port }));
    recorder.observer.poolChanged?.({ added, removed: [] });
    const data = events()[0]?.data as { added: { endpoints: string[]; count: number } };
    expect(data.added.count).toBe(10_000);
    expect(data.added.endpoints).toHaveLength(20);
  });

  test("long texts and control characters from the network are cut and escaped", () => {
    dialFailed(new GatewayError("unknown", `\u001b[31m${"x".repeat(100_000)}`));
    const [event] = events();
    expect(JSON.stringify(event).length).toBeLessThan(4_000);
    expect(event?.reason).toMatch(/^\\u001b\[31mx/);
  });

  test("all items together are bounded in size", () => {
    for (let count = 0; count < 1_000; count++)
      recorder.record({ event: "x", reason: `${count}`, data: { value: "y".repeat(10_000) }, text: "z" });
    expect(JSON.stringify(events()).length).toBeLessThan(2_100_000);
  });
});

test("a listener gets each item, and its count once a second", async () => {
  const seen: (number | undefined)[] = [];
  const stop = recorder.onEvent(({ count }) => seen.push(count));
  for (let dial = 0; dial < 100; dial++) dialFailed();
  expect(seen).toEqual([undefined]);
  await clock.advance(1_000);
  expect(seen).toEqual([undefined, 100]);
  stop();
  dialFailed();
  await clock.advance(1_000);
  expect(seen).toHaveLength(2);
});
