import { discoveryCompliance } from "@gw/compliance";
import { type Endpoint, GatewayError, type Observer } from "@gw/interface";
import { manualClock, queue } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { type Reading, type RefreshOptions, refreshing } from "./refresh.js";

const a: Endpoint = { host: "a.test.", port: 2379, priority: 0, weight: 0 };
const b: Endpoint = { host: "b.test.", port: 2379, priority: 0, weight: 0 };

/** A source whose reads the test answers, and its events and sets in their order. */
function rig(options: RefreshOptions = {}) {
  const clock = manualClock();
  const reads = queue<{ answer(reading: Reading): void; fail(error: unknown): void }>();
  const events = queue<string>();
  let readCount = 0;
  const names = (set: readonly Endpoint[]): string => set.map(({ host }) => host).join(",");
  const observer: Observer = {
    discovered: ({ added, removed }) => events.put(`discovered +${names(added)} -${names(removed)}`),
    discoveryFailed: ({ error, ageMs }) => events.put(`failed ${error.detail} (${ageMs})`),
    discoveryRecovered: ({ failedMs }) => events.put(`recovered ${failedMs}`),
  };
  const read = (): Promise<Reading> => {
    readCount += 1;
    return new Promise((answer, fail) => reads.put({ answer, fail }));
  };
  const discovery = refreshing("test", read, {
    minRefreshMs: 1_000,
    maxRefreshMs: 60_000,
    random: () => 0,
    observer,
    clock,
    ...options,
  });
  let refresh = (): void => {};
  const stop = new AbortController();
  const ended = (async () => {
    const onRefresh = (listener: () => void) => {
      refresh = listener;
      return () => events.put("unsubscribed");
    };
    for await (const set of discovery.watch({ signal: stop.signal, onRefresh }))
      events.put(`set ${names(set)}`);
    events.put("ended");
  })();
  ended.catch(error => events.put(`threw ${error.code}`));
  const next = async (count: number): Promise<string[]> => {
    const lines: string[] = [];
    while (lines.length < count) lines.push(await events.take());
    return lines;
  };
  return { clock, reads, next, readCount: () => readCount, refresh: () => refresh(), stop };
}

describe("a source that is read again and again", () => {
  test("is read again when its TTL expires, and yields changes", async () => {
    const { clock, reads, next, readCount } = rig();
    (await reads.take()).answer({ endpoints: [a], ttlMs: 5_000 });
    expect(await next(2)).toEqual(["discovered +a.test. -", "set a.test."]);
    await clock.advance(4_999);
    expect(readCount()).toBe(1);
    await clock.advance(1);
    (await reads.take()).answer({ endpoints: [a], ttlMs: 5_000 });
    await clock.advance(5_000);
    (await reads.take()).answer({ endpoints: [b, a], ttlMs: 5_000 });
    expect(await next(2)).toEqual(["discovered +b.test. -", "set b.test.,a.test."]);
    await clock.advance(5_000);
    (await reads.take()).answer({ endpoints: [{ ...b, weight: 3 }], ttlMs: 5_000 });
    expect(await next(2)).toEqual(["discovered + -a.test.", "set b.test."]);
  });

  test.each([
    [0, 1_000],
    [10, 1_000],
    [3_600_000, 60_000],
  ])("a TTL of %d ms counts as %d ms", async (ttlMs, holdsMs) => {
    const { clock, reads, next, readCount } = rig();
    (await reads.take()).answer({ endpoints: [a], ttlMs });
    await next(2);
    await clock.advance(holdsMs - 1);
    expect(readCount()).toBe(1);
    await clock.advance(1);
    expect(readCount()).toBe(2);
  });

  test("waits up to a fifth longer, at random", async () => {
    const { clock, reads, next, readCount } = rig({ random: () => 0.999 });
    (await reads.take()).answer({ endpoints: [a], ttlMs: 10_000 });
    await next(2);
    await clock.advance(11_900);
    expect(readCount()).toBe(1);
    await clock.advance(100);
    expect(readCount()).toBe(2);
  });

  test("waits at random after failures, so that many gateways do not read it in step", async () => {
    const { clock, reads, readCount } = rig({ random: () => 0.5 });
    // Half of the jitter of each: a quarter off what has grown, then a tenth more.
    for (const waitMs of [1_100, 1_650, 3_300, 6_600]) {
      (await reads.take()).fail(new GatewayError("timed-out", "no answer"));
      await clock.advance(waitMs - 1);
      const before = readCount();
      await clock.advance(1);
      expect(readCount()).toBe(before + 1);
    }
  });

  test("keeps the last good set when it fails, reports that once with its age, and backs off", async () => {
    const { clock, reads, next, readCount } = rig();
    (await reads.take()).answer({ endpoints: [a], ttlMs: 1_000 });
    await next(2);
    await clock.advance(1_000);
    for (const waitMs of [1_000, 2_000, 4_000, 8_000]) {
      (await reads.take()).fail(new GatewayError("timed-out", "no answer"));
      await clock.advance(waitMs - 1);
      const before = readCount();
      await clock.advance(1);
      expect(readCount()).toBe(before + 1);
    }
    (await reads.take()).fail(new GatewayError("refused", "connection refused"));
    await clock.advance(16_000);
    (await reads.take()).answer({ endpoints: [a], ttlMs: 1_000 });
    expect(await next(3)).toEqual([
      "failed no answer (1000)",
      "failed connection refused (16000)",
      "recovered 31000",
    ]);
  });

  test("treats an empty answer as a failure", async () => {
    const { clock, reads, next } = rig();
    (await reads.take()).answer({ endpoints: [a], ttlMs: 1_000 });
    await next(2);
    await clock.advance(1_000);
    const empty = new GatewayError("name-not-resolved", "looked up x and y");
    (await reads.take()).answer({ endpoints: [], ttlMs: 0, empty });
    expect(await next(1)).toEqual(["failed looked up x and y (1000)"]);
    await clock.advance(3_600_000);
    (await reads.take()).answer({ endpoints: [], ttlMs: 0, empty });
    await clock.advance(3_600_000);
    (await reads.take()).answer({ endpoints: [b], ttlMs: 1_000 });
    expect(await next(3)).toEqual(["recovered 7200000", "discovered +b.test. -a.test.", "set b.test."]);
  });

  test("accepts an empty answer after `emptyAfterMs`, and not before", async () => {
    const { clock, reads, next } = rig({ emptyAfterMs: 5_000 });
    (await reads.take()).answer({ endpoints: [a], ttlMs: 1_000 });
    await next(2);
    const none = { endpoints: [], ttlMs: 0 };
    await clock.advance(1_000);
    (await reads.take()).answer(none);
    await clock.advance(1_000);
    (await reads.take()).answer(none);
    await clock.advance(4_000);
    (await reads.take()).answer(none);
    expect(await next(3)).toEqual([
      "failed test: there are no endpoints (1000)",
      "discovered + -a.test.",
      "set ",
    ]);
  });

  test("is read at once on request, also after a request during a read", async () => {
    const { reads, next, readCount, refresh } = rig();
    const first = await reads.take();
    refresh();
    first.answer({ endpoints: [a], ttlMs: 60_000 });
    await next(2);
    (await reads.take()).answer({ endpoints: [a], ttlMs: 60_000 });
    while (readCount() < 3) {
      refresh();
      await new Promise(setImmediate);
    }
  });

  test("ends when it is aborted, and leaves no timer or listener", async () => {
    const { clock, reads, next, stop } = rig();
    (await reads.take()).answer({ endpoints: [a], ttlMs: 60_000 });
    await next(2);
    await new Promise(setImmediate);
    stop.abort();
    expect(await next(2)).toEqual(["unsubscribed", "ended"]);
    expect(clock.pending).toBe(0);
  });

  test("throws errors of the configuration, but only before its first set", async () => {
    const first = rig();
    (await first.reads.take()).fail(new GatewayError("invalid-option", "nonsense"));
    expect(await first.next(2)).toEqual(["unsubscribed", "threw invalid-option"]);
    const later = rig();
    (await later.reads.take()).answer({ endpoints: [a], ttlMs: 1_000 });
    await later.next(2);
    await later.clock.advance(1_000);
    (await later.reads.take()).fail(new GatewayError("invalid-option", "nonsense"));
    expect(await later.next(1)).toEqual(["failed nonsense (1000)"]);
  });
});

test.each([
  [0, 1_000],
  [2_000, 1_000],
  [-1, 1_000],
  [Number.NaN, 1_000],
])("bounds of %d to %d ms are rejected", (minRefreshMs, maxRefreshMs) => {
  expect(() =>
    refreshing("test", async () => ({ endpoints: [a], ttlMs: 1 }), { minRefreshMs, maxRefreshMs }),
  ).toThrow("the least time between look-ups");
});

for (const { name, run } of discoveryCompliance({
  make: () => refreshing("test", async () => ({ endpoints: [a, b], ttlMs: 1_000 })),
  endpoints: [a, b],
}))
  test(name, run);
