// When new connections avoid an endpoint at which clients wait.
import { expect, test } from "vitest";
import { bad, type Checking, deep, endpoint, startChecking, status } from "../../test/checking.js";

const [one, two, three] = [endpoint(1), endpoint(2), endpoint(3)];

/** Checks of three etcd members: the first one is in use, and answers a check after `tookMs`. */
async function startWaiting(tookMs: number): Promise<Checking> {
  const at = startChecking([one, two, three]);
  at.use(1);
  for (const number of [1, 2, 3]) {
    at.finds.set(number, status);
    at.findsDeep.set(number, deep);
    at.deepTookMs.set(number, 0);
  }
  await at.clock.advance(20_000);
  at.tookMs = tookMs;
  at.activity.set(1, { waitingMs: 2_000 });
  return at;
}

test("an endpoint is avoided while its check takes longer than usual, because clients wait for it", async () => {
  const at = await startWaiting(2_000);
  at.finds.set(1, bad);
  at.checks.suspect(one, "stalled");
  await at.clock.advance(1_000);
  expect(at.reports.at(-1)).toBe("21000 e1 timed-out");
  expect(at.avoided).toEqual(["20025 e1", "21000 e1 no longer"]);
  at.checks.close();
});

test("its deep check is such a check as well", async () => {
  const at = await startWaiting(5);
  at.deepTookMs.set(1, 800);
  at.checks.suspect(one, "abandoned");
  await at.clock.advance(2_000);
  // 375 ms after the regular check.
  expect(at.avoided).toEqual(["20405 e1", "21180 e1 no longer"]);
  at.checks.close();
});

test("a check that was under way when the client stalled is such a check, too", async () => {
  const at = await startWaiting(2_000);
  at.checks.suspect(one, "lost");
  await at.clock.advance(500);
  expect(at.avoided).toEqual([]);
  at.checks.suspect(one, "stalled");
  at.checks.suspect(one, "stalled");
  await at.clock.advance(1_500);
  expect(at.avoided).toEqual(["20525 e1", "22000 e1 no longer"]);
  at.checks.close();
});

test("clients that stall one after the other do not put it off, nor interrupt it", async () => {
  const at = await startWaiting(2_000);
  for (let time = 0; time < 60; time++) {
    at.checks.suspect(one, "stalled");
    await at.clock.advance(10);
  }
  expect(at.avoided).toEqual(["20025 e1"]);
  at.checks.close();
});

test.each([
  ["has three round trips, and 25 ms", 320, []],
  ["is avoided after that", 400, ["20325 e1", "20400 e1 no longer"]],
])("an endpoint that is far away %s", async (_, tookMs, avoided) => {
  const at = startChecking([one, two, three]);
  at.use(1);
  at.finds.set(1, { ...status, facts: { roundTripMs: 100 } });
  await at.clock.advance(20_000);
  Object.assign(at, { tookMs });
  at.activity.set(1, { waitingMs: 2_000 });
  at.checks.suspect(one, "stalled");
  await at.clock.advance(tookMs);
  expect(at.avoided).toEqual(avoided);
  at.checks.close();
});

test("an endpoint that answers its check soon is not avoided", async () => {
  const at = await startWaiting(20);
  at.checks.suspect(one, "stalled");
  await at.clock.advance(60_000);
  expect(at.avoided).toEqual([]);
  at.checks.close();
});

test("an endpoint that is gone, and checks that are closed, leave nothing avoided and no timer", async () => {
  const at = await startWaiting(2_000);
  at.checks.suspect(one, "stalled");
  await at.clock.advance(100);
  at.remove(1);
  at.checks.update();
  await at.clock.advance(1);
  expect(at.avoided).toEqual(["20025 e1", "20100 e1 no longer"]);
  at.use(2);
  at.checks.suspect(two, "stalled");
  await at.clock.advance(10);
  at.checks.close();
  await at.clock.advance(1);
  expect(at.clock.pending).toBe(0);
  expect(at.avoided).toHaveLength(2);
});
