import { discoveryCompliance } from "@gw/compliance";
import { type Discovery, type Endpoint, GatewayError, type WatchOptions } from "@gw/interface";
import { manualClock } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { fallbackDefaults, withFallback } from "./fallback.js";
import { parseEndpoints } from "./parse.js";
import { staticEndpoints } from "./static.js";

const { endpoints } = parseEndpoints("infra0,infra1");
const remembered = parseEndpoints("old0,old1").endpoints;

/** A source that the test decides about: what it yields, how it fails, and when. */
function steered() {
  let push = (_: readonly Endpoint[] | Error): void => {};
  let request: WatchOptions | undefined;
  const source: Discovery = {
    async *watch(options) {
      request = options;
      const { signal } = options;
      for (;;) {
        const found = await new Promise<readonly Endpoint[] | Error | undefined>(resolve => {
          push = resolve;
          signal.addEventListener("abort", () => resolve(undefined));
          if (signal.aborted) resolve(undefined);
        });
        if (!found) return;
        if (found instanceof Error) throw found;
        yield found;
      }
    },
  };
  return {
    source,
    yields: (set: readonly Endpoint[]) => push(set),
    throws: (error: Error) => push(error),
    settles: (error?: GatewayError) => request?.onSettled?.(error),
    get isAborted() {
      return request?.signal.aborted;
    },
  };
}

/** A watch of a steered source with a fallback, and what it reported. */
function rig() {
  const clock = manualClock();
  const steering = steered();
  const reported: string[] = [];
  const controller = new AbortController();
  const sets = withFallback(steering.source, {
    endpoints: remembered,
    clock,
    onUsed: error => reported.push(`used: ${error?.detail}`),
    onDropped: () => reported.push("dropped"),
  })
    .watch({
      signal: controller.signal,
      onSettled: error => reported.push(`settled: ${error?.detail}`),
    })
    [Symbol.asyncIterator]();
  return { ...steering, steering, clock, reported, controller, sets };
}

const noAnswer = new GatewayError("name-not-resolved", "no answer");

describe("a source that has endpoints", () => {
  const make = () => withFallback(staticEndpoints(endpoints), { endpoints: remembered });
  for (const { name, run } of discoveryCompliance({ make, endpoints })) test(name, run);
});

describe("a source that fails at first", () => {
  let trigger = (): void => {};
  let number = 0;
  const make = (): Discovery => {
    const listeners = new Set<() => void>();
    trigger = () => {
      number += 1;
      for (const listener of [...listeners]) listener();
    };
    number = 0;
    const source: Discovery = {
      async *watch({ signal, onSettled }) {
        onSettled?.(noAnswer);
        for (let seen = 0; !signal.aborted; ) {
          if (seen === number)
            await new Promise<void>(resolve => {
              const done = (): void => {
                listeners.delete(done);
                resolve();
              };
              listeners.add(done);
              signal.addEventListener("abort", done);
            });
          if (signal.aborted) return;
          seen = number;
          yield Object.freeze([Object.freeze({ host: `infra${seen}`, port: 2379, priority: 0, weight: 0 })]);
        }
      },
    };
    return withFallback(source, { endpoints: remembered });
  };
  for (const { name, run } of discoveryCompliance({ make, change: () => trigger(), endpoints: remembered }))
    test(name, run);
});

test("a failure as the first outcome is replaced by the fallback at once, until the source has a set", async () => {
  const { sets, settles, yields, reported, clock } = rig();
  const first = sets.next();
  settles(noAnswer);
  expect(await first).toEqual({ done: false, value: remembered });
  const second = sets.next();
  yields(endpoints);
  expect(await second).toEqual({ done: false, value: endpoints });
  expect(reported).toEqual(["used: no answer", "settled: undefined", "dropped"]);
  await sets.return?.();
  expect(clock.pending).toBe(0);
});

test("without an outcome, the fallback is used after its time and not before", async () => {
  const { sets, reported, clock } = rig();
  const first = sets.next();
  await clock.advance(fallbackDefaults.afterMs - 1);
  expect(reported).toEqual([]);
  await clock.advance(1);
  expect(await first).toEqual({ done: false, value: remembered });
  expect(reported).toEqual(["used: undefined", "settled: undefined"]);
  await sets.return?.();
});

test("a source that has a set in time never sees its fallback used, whatever it does later", async () => {
  const { sets, yields, reported, clock } = rig();
  const first = sets.next();
  yields(endpoints);
  expect(await first).toEqual({ done: false, value: endpoints });
  const second = sets.next();
  await clock.advance(10 * fallbackDefaults.afterMs);
  yields(remembered);
  expect(await second).toEqual({ done: false, value: remembered });
  expect(reported).toEqual(["settled: undefined"]);
  await sets.return?.();
});

test("a set that equals the fallback drops it and is not yielded again", async () => {
  const { sets, yields, settles, reported } = rig();
  const first = sets.next();
  settles(noAnswer);
  await first;
  const second = sets.next();
  yields([...remembered].reverse());
  // Then the source waits for its next set.
  await new Promise(resolve => setImmediate(resolve));
  expect(reported).toContain("dropped");
  yields(endpoints);
  expect(await second).toEqual({ done: false, value: endpoints });
  await sets.return?.();
});

test("a fault of the configuration is thrown and not covered by the fallback", async () => {
  const { sets, throws, reported } = rig();
  const first = sets.next();
  throws(new GatewayError("invalid-endpoint", "line 3"));
  await expect(first).rejects.toThrow("line 3");
  expect(reported).toEqual(["settled: line 3"]);
});

test("the source is stopped when the watch is left while the fallback is in use", async () => {
  const { sets, settles, steering } = rig();
  const first = sets.next();
  settles(noAnswer);
  await first;
  await sets.return?.();
  expect(steering.isAborted).toBe(true);
});

test("without endpoints to fall back to, the source is used as it is", () => {
  const source = staticEndpoints(endpoints);
  expect(withFallback(source, { endpoints: [] })).toBe(source);
});
