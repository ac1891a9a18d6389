import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { manualClock, startBackend } from "@gw/testing";
import { expect, test } from "vitest";
import { LoopCheck, type Outcome } from "./loop-check.js";

const host = "10.0.0.1";
/** Of the manual clock, in milliseconds. */
const stepMs = 10;

/** Numbers in [0, 1), always the same for one seed: a linear congruential generator, as in Numerical Recipes. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The outcome of a check whose clients arrive as `arrives` says, asked in each step with the ages of all probes so far. */
async function outcomeOf(
  arrives: (probesMs: readonly number[], nowMs: number) => boolean,
  seed = 1,
): Promise<{ readonly outcome: Outcome; readonly tookMs: number; readonly probes: number }> {
  await using backend = await startBackend();
  const clock = manualClock();
  let outcome: Outcome | undefined;
  const check = new LoopCheck(
    { address: backend.address, hosts: [host], clock, random: seededRandom(seed) },
    found => (outcome = found),
  );
  const startedMs = clock.now();
  const probesMs: number[] = [];
  check.start();
  while (outcome === undefined) {
    await eventLoopTurn();
    while (probesMs.length < backend.accepted) probesMs.push(clock.now());
    if (arrives(probesMs, clock.now())) check.arrived(host);
    await clock.advance(stepMs);
  }
  return { outcome, tookMs: clock.now() - startedMs, probes: probesMs.length };
}

test("a loop is found by probes that come back", async () => {
  const { outcome, probes } = await outcomeOf((probesMs, nowMs) =>
    probesMs.some(probeMs => nowMs - probeMs === stepMs),
  );
  expect(outcome).toBe("loop");
  // One that measures, and three blocks of windows.
  expect(probes).toBe(16);
});

test("a loop is found on a machine that has become busy, so that probes come back later than the first one", async () => {
  const { outcome } = await outcomeOf((probesMs, nowMs) =>
    probesMs.some((probeMs, index) => nowMs - probeMs === (index === 0 ? stepMs : 120)),
  );
  expect(outcome).toBe("loop");
});

test("a loop is found within the limit where each probe takes long", async () => {
  const { outcome, tookMs } = await outcomeOf((probesMs, nowMs) =>
    probesMs.some(probeMs => nowMs - probeMs === 200),
  );
  expect(outcome).toBe("loop");
  expect(tookMs).toBeLessThan(10_000);
});

test("an endpoint whose probes do not come back after the first one is no loop", async () => {
  const { outcome, probes } = await outcomeOf(
    ([firstMs], nowMs) => firstMs !== undefined && nowMs - firstMs === stepMs,
  );
  expect(outcome).toBe("none");
  // One that measures, and one that is late.
  expect(probes).toBe(2);
});

test.each([stepMs, 50, 200])("clients that arrive every %d ms are no loop", async everyMs => {
  for (let seed = 1; seed <= 20; seed++)
    expect(await outcomeOf((_, nowMs) => nowMs % everyMs === 0, seed)).toMatchObject({ outcome: "none" });
});
