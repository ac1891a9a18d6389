import { discoveryCompliance } from "@gw/compliance";
import { type Endpoint, GatewayError, type Observer } from "@gw/interface";
import { manualClock, queue } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { type Reading, type RefreshOptions, refreshing } from "./refresh.js";

const a: Endpoint = { host: "a.test.", port: 2379, priority: 0, weight: 0 };
const b: Endpoint = { host: "b.test.", port: 2379, priority: 0, weight: 0 };

/** A source whose every look the test answers, and what came of it, in the order of events. */
function rig(options: RefreshOptions = {}) {
  const clock = manualClock();
  const looks = queue<{ answer(reading: Reading): void; fail(error: unknown): void }>();
  const told = queue<string>();
  let looked = 0;
  const names = (set: readonly Endpoint[]): string => set.map(({ host }) => host).join(",");
  const observer: Observer = {
    discovered: ({ added, removed }) => told.put(`discovered +${names(added)} -${names(removed)}`),
    discoveryFailed: ({ error, ageMs }) => told.put(`failed ${error.detail} (${ageMs})`),
    discoveryRecovered: ({ failedMs }) => told.put(`recovered ${failedMs}`),
  };
  const read = (): Promise<Reading> => {
    looked += 1;
    return new Promise((answer, fail) => looks.put({ answer, fail }));
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
      return () => told.put("unsubscribed");
    };
    for await (const set of discovery.watch({ signal: stop.signal, onRefresh }))
      told.put(`set ${names(set)}`);
    told.put("ended");
  })();
  ended.catch(error => told.put(`threw ${error.code}`));
  const next = async (count: number): Promise<string[]> => {
    const lines: string[] = [];
    while (lines.length < count) lines.push(await told.take());
    return lines;
  };
  return { clock, looks, next, looked: () => looked, refresh: () => refresh(), stop };
}

describe("a source that is read again and again", () => {
  test("is read again when its TTL runs out, and yields what changed", async () => {
    const { clock, looks, next, looked } = rig();
    (await looks.take()).answer({ endpoints: [a], ttlMs: 5_000 });
    expect(await next(2)).toEqual(["discovered +a.test. -", "set a.test."]);
    await clock.advance(4_999);
    expect(looked()).toBe(1);
    await clock.advance(1);
    (await looks.take()).answer({ endpoints: [a], ttlMs: 5_000 });
    await clock.advance(5_000);
    (await looks.take()).answer({ endpoints: [b, a], ttlMs: 5_000 });
    expect(await next(2)).toEqual(["discovered +b.test. -", "set b.test.,a.test."]);
    await clock.advance(5_000);
    (await looks.take()).answer({ endpoints: [{ ...b, weight: 3 }], ttlMs: 5_000 });
    expect(await next(2)).toEqual(["discovered + -a.test.", "set b.test."]);
  });

  test.each([
    [0, 1_000],
    [10, 1_000],
    [3_600_000, 60_000],
  ])("a TTL of %d ms is taken for %d ms", async (ttlMs, holdsMs) => {
    const { clock, looks, next, looked } = rig();
    (await looks.take()).answer({ endpoints: [a], ttlMs });
    await next(2);
    await clock.advance(holdsMs - 1);
    expect(looked()).toBe(1);
    await clock.advance(1);
    expect(looked()).toBe(2);
  });

  test("waits up to a tenth longer, by chance", async () => {
    const { clock, looks, next, looked } = rig({ random: () => 0.999 });
    (await looks.take()).answer({ endpoints: [a], ttlMs: 10_000 });
    await next(2);
    await clock.advance(10_900);
    expect(looked()).toBe(1);
    await clock.advance(100);
    expect(looked()).toBe(2);
  });

  test("keeps the last good set when it fails, says so once with its age, and backs off", async () => {
    const { clock, looks, next, looked } = rig();
    (await looks.take()).answer({ endpoints: [a], ttlMs: 1_000 });
    await next(2);
    await clock.advance(1_000);
    for (const waitMs of [1_000, 2_000, 4_000, 8_000]) {
      (await looks.take()).fail(new GatewayError("timed-out", "no answer"));
      await clock.advance(waitMs - 1);
      const before = looked();
      await clock.advance(1);
      expect(looked()).toBe(before + 1);
    }
    (await looks.take()).fail(new GatewayError("refused", "connection refused"));
    await clock.advance(16_000);
    (await looks.take()).answer({ endpoints: [a], ttlMs: 1_000 });
    expect(await next(3)).toEqual([
      "failed no answer (1000)",
      "failed connection refused (16000)",
      "recovered 31000",
    ]);
  });

  test("takes 'there are none' for a failure too", async () => {
    const { clock, looks, next } = rig();
    (await looks.take()).answer({ endpoints: [a], ttlMs: 1_000 });
    await next(2);
    await clock.advance(1_000);
    const empty = new GatewayError("name-not-resolved", "looked up x and y");
    (await looks.take()).answer({ endpoints: [], ttlMs: 0, empty });
    expect(await next(1)).toEqual(["failed looked up x and y (1000)"]);
    await clock.advance(3_600_000);
    (await looks.take()).answer({ endpoints: [], ttlMs: 0, empty });
    await clock.advance(3_600_000);
    (await looks.take()).answer({ endpoints: [b], ttlMs: 1_000 });
    expect(await next(3)).toEqual(["recovered 7200000", "discovered +b.test. -a.test.", "set b.test."]);
  });

  test("believes that after the time that the user said, and not before", async () => {
    const { clock, looks, next } = rig({ emptyAfterMs: 5_000 });
    (await looks.take()).answer({ endpoints: [a], ttlMs: 1_000 });
    await next(2);
    const none = { endpoints: [], ttlMs: 0 };
    await clock.advance(1_000);
    (await looks.take()).answer(none);
    await clock.advance(1_000);
    (await looks.take()).answer(none);
    await clock.advance(4_000);
    (await looks.take()).answer(none);
    expect(await next(3)).toEqual([
      "failed test: there are no endpoints (1000)",
      "discovered + -a.test.",
      "set ",
    ]);
  });

  test("is read at once on request, also when the request comes during a look", async () => {
    const { looks, next, looked, refresh } = rig();
    const first = await looks.take();
    refresh();
    first.answer({ endpoints: [a], ttlMs: 60_000 });
    await next(2);
    (await looks.take()).answer({ endpoints: [a], ttlMs: 60_000 });
    while (looked() < 3) {
      refresh();
      await new Promise(setImmediate);
    }
  });

  test("ends when it is told to, and leaves nothing behind", async () => {
    const { clock, looks, next, stop } = rig();
    (await looks.take()).answer({ endpoints: [a], ttlMs: 60_000 });
    await next(2);
    await new Promise(setImmediate);
    stop.abort();
    expect(await next(2)).toEqual(["unsubscribed", "ended"]);
    expect(clock.pending).toBe(0);
  });

  test("throws what the configuration is to blame for, but only from the first look", async () => {
    const first = rig();
    (await first.looks.take()).fail(new GatewayError("invalid-option", "nonsense"));
    expect(await first.next(2)).toEqual(["unsubscribed", "threw invalid-option"]);
    const later = rig();
    (await later.looks.take()).answer({ endpoints: [a], ttlMs: 1_000 });
    await later.next(2);
    await later.clock.advance(1_000);
    (await later.looks.take()).fail(new GatewayError("invalid-option", "nonsense"));
    expect(await later.next(1)).toEqual(["failed nonsense (1000)"]);
  });
});

test.each([
  [0, 1_000],
  [2_000, 1_000],
  [-1, 1_000],
  [Number.NaN, 1_000],
])("bounds of %d to %d ms are refused", (minRefreshMs, maxRefreshMs) => {
  expect(() =>
    refreshing("test", async () => ({ endpoints: [a], ttlMs: 1 }), { minRefreshMs, maxRefreshMs }),
  ).toThrow("the least time between look-ups");
});

for (const { name, run } of discoveryCompliance({
  make: () => refreshing("test", async () => ({ endpoints: [a, b], ttlMs: 1_000 })),
  endpoints: [a, b],
}))
  test(name, run);
