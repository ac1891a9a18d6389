// What checks cost an endpoint, by its clients: counted at the probe, with the defaults, over ten minutes and more.
import type { EndpointActivity } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { type Checking, deep, endpoint, randomFrom, startChecking, status } from "../../test/checking.js";

const minute = 60_000;
const [one, two, three] = [endpoint(1), endpoint(2), endpoint(3)];

/** Checks of three etcd members, of which the first is in use; it has a connection if `isUsed`. */
function startMembers(seed: number, { isUsed = true, intervalMs = 10_000 } = {}): Checking {
  const at = startChecking([one, two, three], { random: randomFrom(seed), intervalMs });
  for (const number of [1, 2, 3]) {
    at.finds.set(number, status);
    at.findsDeep.set(number, deep);
  }
  at.use(1);
  if (!isUsed) at.connect(1, 0);
  return at;
}

interface Requests {
  readonly all: number;
  readonly deep: number;
}

/** The requests at an endpoint so far. */
function requestsAt(at: Checking, number: number): Requests {
  const all = at.checked.filter(check => check.split(" ")[1] === `e${number}`);
  return { all: all.length, deep: all.filter(check => check.endsWith("deep")).length };
}

/** What clients see, worked out when it is asked. */
function activityOf(parts: { readonly [name in keyof EndpointActivity]?: () => number }): EndpointActivity {
  const names = Object.keys(parts) as (keyof EndpointActivity)[];
  const properties = names.map(name => [name, { get: parts[name], enumerable: true }]);
  return Object.defineProperties({}, Object.fromEntries(properties)) as EndpointActivity;
}

describe.each([1, 2, 3])("over ten minutes, with other random numbers: %i", seed => {
  test("no connections: at most one request a minute for each endpoint, none of them deep", async () => {
    const at = startMembers(seed, { isUsed: false });
    await at.clock.advance(10 * minute);
    for (const number of [1, 2, 3]) {
      const requests = requestsAt(at, number);
      expect(requests.all).toBeGreaterThanOrEqual(1);
      expect(requests.all).toBeLessThanOrEqual(10);
      expect(requests.deep).toBe(0);
    }
    at.checks.close();
  });

  test("clients that are gone: at most one request a minute from then on", async () => {
    const at = startMembers(seed);
    await at.clock.advance(minute);
    at.connect(1, 0);
    at.checked.splice(0);
    await at.clock.advance(10 * minute);
    expect(requestsAt(at, 1).all).toBeLessThanOrEqual(10);
    at.checks.close();
  });

  test("answered traffic: at most two a minute", async () => {
    const at = startMembers(seed);
    at.activity.set(1, activityOf({ bytes: () => at.clock.now(), answeredMs: () => at.clock.now() % 700 }));
    await at.clock.advance(10 * minute);
    const requests = requestsAt(at, 1);
    expect(requests.all).toBeGreaterThanOrEqual(5);
    expect(requests.all).toBeLessThanOrEqual(20);
    expect(requests.deep).toBeLessThanOrEqual(1);
    at.checks.close();
  });

  test("answered traffic on a new connection each time: at most two a minute", async () => {
    const at = startMembers(seed);
    at.connect(1, 0);
    const isOpen = (): boolean => at.clock.now() % 100 < 60;
    at.activity.set(
      1,
      activityOf({
        connections: () => Number(isOpen()),
        bytes: () => Math.floor(at.clock.now() / 100) * 300,
        waitingMs: () => (isOpen() ? at.clock.now() % 100 : 0),
      }),
    );
    await at.clock.advance(10 * minute);
    expect(requestsAt(at, 1).all).toBeLessThanOrEqual(20);
    at.checks.close();
  });

  test.each([
    ["silent", 0, 60_000],
    ["keepalives only", 17, 10_000],
    ["keepalives only, as often as etcd allows, with TLS", 39, 5_000],
  ])("%s: six to seven a minute", async (_, bytes, everyMs) => {
    const at = startMembers(seed);
    at.connect(1, 20);
    at.activity.set(
      1,
      activityOf({
        bytes: () => Math.floor(at.clock.now() / everyMs) * bytes * 20,
        answeredMs: () => (bytes > 0 ? at.clock.now() % everyMs : Infinity),
      }),
    );
    await at.clock.advance(10 * minute);
    const requests = requestsAt(at, 1);
    expect(requests.all).toBeGreaterThanOrEqual(60);
    expect(requests.all).toBeLessThanOrEqual(70);
    expect(requests.deep).toBeLessThanOrEqual(1);
    for (const number of [2, 3]) expect(requestsAt(at, number).all).toBeLessThanOrEqual(10);
    at.checks.close();
  });

  test("a client that waits for a lock: at most one check in ten seconds", async () => {
    const at = startMembers(seed);
    await at.clock.advance(minute);
    const since = at.clock.now();
    at.activity.set(1, activityOf({ waitingMs: () => at.clock.now() - since }));
    await at.clock.advance(2_000);
    at.checked.splice(0);
    at.checks.suspect(one, "stalled");
    await at.clock.advance(10 * minute);
    const requests = requestsAt(at, 1);
    expect(requests.all).toBeGreaterThanOrEqual(50);
    // The first check has two requests.
    expect(requests.all).toBeLessThanOrEqual(61);
    expect(requests.deep).toBeLessThanOrEqual(2);
    for (const number of [2, 3]) expect(requestsAt(at, number).all).toBeLessThanOrEqual(10);
    at.checks.close();
  });

  test("requests that block for long, one after the other: about one check in ten seconds, deep ones rarer", async () => {
    const at = startMembers(seed);
    await at.clock.advance(minute);
    at.checked.splice(0);
    let since = 0;
    let request = 0;
    const waitedMs = (): number => at.clock.now() - since;
    at.activity.set(1, activityOf({ bytes: () => request * 120, answeredMs: waitedMs, waitingMs: waitedMs }));
    for (; request < 120; request++) {
      since = at.clock.now();
      await at.clock.advance(2_000);
      at.checks.suspect(one, "stalled");
      await at.clock.advance(3_000);
    }
    const requests = requestsAt(at, 1);
    expect(requests.all - requests.deep).toBeLessThanOrEqual(62);
    expect(requests.deep).toBeGreaterThanOrEqual(5);
    expect(requests.deep).toBeLessThanOrEqual(9);
    at.checks.close();
  });

  test("many watches, opened one after the other: at most seven a minute", async () => {
    const at = startMembers(seed);
    let opened = 0;
    at.activity.set(1, activityOf({ connections: () => opened, bytes: () => opened * 150 }));
    for (; opened < 600; opened++) {
      at.connect(1, opened);
      await at.clock.advance(1_000);
    }
    const requests = requestsAt(at, 1);
    expect(requests.all).toBeGreaterThanOrEqual(30);
    expect(requests.all).toBeLessThanOrEqual(70);
    expect(requests.deep).toBeLessThanOrEqual(1);
    at.checks.close();
  });

  test("connections to all three, as with round-robin: at most two a minute if answered, seven if not", async () => {
    const at = startMembers(seed);
    for (const number of [1, 2, 3]) at.connect(number, 5);
    for (const number of [1, 2])
      at.activity.set(
        number,
        activityOf({ bytes: () => at.clock.now(), answeredMs: () => at.clock.now() % 700 }),
      );
    await at.clock.advance(10 * minute);
    for (const number of [1, 2]) expect(requestsAt(at, number).all).toBeLessThanOrEqual(20);
    expect(requestsAt(at, 3).all).toBeLessThanOrEqual(70);
    for (const number of [1, 2, 3]) expect(requestsAt(at, number).deep).toBeLessThanOrEqual(1);
    at.checks.close();
  });
});

test("in no ten minutes of a day there are two deep checks of an endpoint that nothing is suspected of", async () => {
  // Regular checks are as rare as with answered traffic; deep ones do not depend on the interval.
  const at = startMembers(4, { intervalMs: minute });
  for (let hour = 0; hour < 24; hour++) {
    await at.clock.advance(60 * minute);
    // Clients come and go, also to the others.
    for (const number of [1, 2, 3]) at.connect(number, hour % (number + 1) === 0 ? 0 : 3);
  }
  for (const number of [1, 2, 3]) {
    const times = at.checked
      .filter(check => check.endsWith(`e${number} deep`))
      .map(check => Number.parseInt(check, 10));
    const waits = times.slice(1).map((time, index) => time - (times[index] as number));
    expect(times.length).toBeGreaterThan(24);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(10 * minute);
  }
  at.checks.close();
});

test("gateways that start at the same moment are out of step after their first checks, and stay so", async () => {
  const gateways = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const at = startMembers(1_000 + 7_919 * index);
      await at.clock.advance(30 * minute);
      at.checks.close();
      return at.checked
        .filter(check => check.split(" ")[1] === "e1")
        .map(check => Number.parseInt(check, 10));
    }),
  );
  for (const from of [10_000, 15 * minute, 29 * minute]) {
    const perSecond = new Map<number, number>();
    for (const times of gateways) {
      const second = Math.floor((times.find(time => time >= from) as number) / 1_000);
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
    }
    // Each checks once in about ten seconds: two of them a second on average.
    expect(perSecond.size).toBeGreaterThanOrEqual(7);
    expect(Math.max(...perSecond.values())).toBeLessThanOrEqual(7);
  }
});
