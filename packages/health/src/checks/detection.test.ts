// How soon faults of etcd members are reported, and what is not taken for one, with the defaults.
import type { EndpointStatus, Verdict } from "@gw/interface";
import { manualClock } from "@gw/testing";
import { describe, expect, test } from "vitest";
import {
  bad,
  type Checking,
  deep,
  endpoint,
  randomFrom,
  shared,
  startChecking,
  status,
  verdictOf,
} from "../../test/checking.js";
import { type CheckOptions, checkHealth } from "./checks.js";

const minute = 60_000;
const [one, two, three] = [endpoint(1), endpoint(2), endpoint(3)];

/** Checks of three etcd members, of which the first is in use. */
function startMembers(options: Partial<CheckOptions> = {}): Checking {
  const at = startChecking([one, two, three], options);
  for (const number of [1, 2, 3]) heal(at, number);
  at.use(1);
  return at;
}

function heal(at: Checking, number: number): void {
  at.finds.set(number, status);
  at.findsDeep.set(number, deep);
  at.deepTookMs.set(number, 0);
}

/** Its status is good, and a read on which the cluster has to agree gets no answer, as with a stalled disk. */
function stallDisk(at: Checking, number: number): void {
  at.findsDeep.set(number, { ...shared, check: "etcd /readyz" });
  at.deepTookMs.set(number, 2_000);
}

/** A client waits for the first member from now on, and is reported after the stall timeout. */
async function stall(at: Checking): Promise<void> {
  const since = at.clock.now();
  at.activity.set(1, {
    get waitingMs() {
      return at.clock.now() - since;
    },
  });
  await at.clock.advance(2_000);
  at.checks.suspect(one, "stalled");
}

/** When the first report that fits was made, in milliseconds since then. */
function reportedAfter(at: Checking, since: number, fits: string): number | undefined {
  const report = at.reports.find(report => Number.parseInt(report, 10) >= since && report.endsWith(fits));
  return report === undefined ? undefined : Number.parseInt(report, 10) - since;
}

/** Checks with deep ones marked, without their times. */
function checksOf(at: Checking, number: number): string[] {
  const checks = at.checked.filter(check => check.split(" ")[1] === `e${number}`);
  return checks.map(check => (check.endsWith("deep") ? "deep" : "regular"));
}

describe.each([1, 2, 3])("a fault of the member in use is reported, with other random numbers: %i", seed => {
  /** At a time when a fault begins. */
  const startSomewhere = async () => {
    const random = randomFrom(seed);
    const at = startMembers({ random });
    await at.clock.advance(minute + random() * 10_000);
    return { at, since: at.clock.now() };
  };
  const hang = (at: Checking): void => {
    at.finds.set(1, bad);
    at.findsDeep.set(1, bad);
    at.tookMs = 2_000;
    at.deepTookMs.clear();
  };

  test("it hangs with an idle watch: within 14 s", async () => {
    const { at, since } = await startSomewhere();
    hang(at);
    await at.clock.advance(14_000);
    expect(reportedAfter(at, since, "e1 timed-out")).toBeGreaterThan(2_000);
    at.checks.close();
  });

  test("it hangs while a client waits: a second after the stall, unless a check was under way", async () => {
    const { at, since } = await startSomewhere();
    hang(at);
    await stall(at);
    const isUnderWay = at.checked.some(check => Number.parseInt(check, 10) >= since);
    await at.clock.advance(2_100);
    const afterMs = reportedAfter(at, since, "e1 timed-out");
    expect(afterMs).toBeGreaterThanOrEqual(2_000);
    expect(afterMs).toBeLessThanOrEqual(isUnderWay ? 4_000 : 3_100);
    at.checks.close();
  });

  test("it has no leader while a client waits: about a second after the stall", async () => {
    const { at, since } = await startSomewhere();
    at.finds.set(1, shared);
    await stall(at);
    await at.clock.advance(1_200);
    expect(reportedAfter(at, since, "e1 unhealthy alone")).toBeLessThanOrEqual(3_200);
    expect(checksOf(at, 2).concat(checksOf(at, 3))).not.toContain("deep");
    at.checks.close();
  });

  test("it has no leader and answers idle watches with errors: within 13 s", async () => {
    const { at, since } = await startSomewhere();
    at.finds.set(1, shared);
    at.activity.set(1, {
      answeredMs: 0,
      get bytes() {
        return at.clock.now() - since;
      },
    });
    await at.clock.advance(13_000);
    expect(reportedAfter(at, since, "e1 unhealthy alone")).toBeGreaterThan(0);
    at.checks.close();
  });

  test("its disk stalls while a client waits: within 6 s, by deep checks of all", async () => {
    const { at, since } = await startSomewhere();
    stallDisk(at, 1);
    await stall(at);
    await at.clock.advance(6_000);
    expect(reportedAfter(at, since, "e1 unhealthy alone")).toBeLessThanOrEqual(6_500);
    expect(checksOf(at, 2)).toContain("deep");
    at.checks.close();
  });

  test("its disk stalls and nobody waits: within 13 minutes", async () => {
    const { at, since } = await startSomewhere();
    stallDisk(at, 1);
    await at.clock.advance(13 * minute);
    expect(reportedAfter(at, since, "e1 unhealthy alone")).toBeGreaterThan(0);
    at.checks.close();
  });
});

test("a hang is found as soon where clients come on connections that are too brief to be seen", async () => {
  const at = startMembers();
  at.connect(1, 0);
  let hungAt = Infinity;
  at.activity.set(1, {
    get bytes() {
      return Math.min(at.clock.now(), hungAt);
    },
  });
  await at.clock.advance(5 * minute);
  hungAt = at.clock.now();
  at.finds.set(1, bad);
  // The last bytes may have come right after an evaluation.
  await at.clock.advance(25_000);
  expect(reportedAfter(at, hungAt, "e1 timed-out")).toBeGreaterThan(0);
  at.checks.close();
});

test("a fault that only deep checks find is over when a deep check succeeds", async () => {
  const at = startMembers();
  await at.clock.advance(minute);
  stallDisk(at, 1);
  await stall(at);
  await at.clock.advance(20_000);
  at.checked.splice(0);
  at.reports.splice(0);
  await at.clock.advance(minute);
  expect(new Set(checksOf(at, 1))).toEqual(new Set(["deep"]));
  expect(at.reports.filter(report => report.endsWith("e1 ok"))).toEqual([]);
  heal(at, 1);
  at.activity.clear();
  await at.clock.advance(2 * minute);
  expect(reportedAfter(at, 0, "e1 ok")).toBeGreaterThan(0);
  expect(checksOf(at, 1).slice(-5)).toEqual(Array(5).fill("regular"));
  at.checks.close();
});

test("a fault that deep checks find in all members moves nobody, and deep checks become rare", async () => {
  const at = startMembers({ random: randomFrom(5) });
  await at.clock.advance(minute);
  for (const number of [1, 2, 3]) stallDisk(at, number);
  await stall(at);
  await at.clock.advance(2 * minute);
  at.checked.splice(0);
  await at.clock.advance(10 * minute);
  expect(at.reports.filter(report => report.endsWith("alone"))).toEqual([]);
  for (const number of [1, 2, 3]) {
    // Once in 15 to 30 s.
    expect(checksOf(at, number).length).toBeGreaterThanOrEqual(20);
    expect(checksOf(at, number).length).toBeLessThanOrEqual(45);
  }
  // The first that recovers shows that the fault is the others' own.
  const since = at.clock.now();
  heal(at, 2);
  await at.clock.advance(45_000);
  const recoveredAfter = reportedAfter(at, since, "e2 ok") ?? Infinity;
  expect(recoveredAfter).toBeLessThanOrEqual(33_000);
  expect(reportedAfter(at, since, "e1 unhealthy alone")).toBeLessThanOrEqual(recoveredAfter + 10_000);
  at.checks.close();
});

test("a fault that all members show is theirs alone soon after another endpoint comes up", async () => {
  const at = startMembers();
  at.endpointDown(3, { unhealthy: true });
  await at.clock.advance(minute);
  for (const number of [1, 2]) at.finds.set(number, shared);
  await at.clock.advance(5 * minute);
  at.endpointDown(3, { state: "up" });
  at.checks.update();
  const since = at.clock.now();
  await at.clock.advance(5_000);
  expect(reportedAfter(at, since, "e1 unhealthy alone")).toBeGreaterThan(0);
  at.checks.close();
});

test("a fault that all members show is checked less and less often, and at once when a client stalls", async () => {
  const at = startMembers({ random: randomFrom(6) });
  await at.clock.advance(minute);
  for (const number of [1, 2, 3]) at.finds.set(number, shared);
  await at.clock.advance(2 * minute);
  at.checked.splice(0);
  await at.clock.advance(5 * minute);
  for (const number of [1, 2, 3]) expect(checksOf(at, number).length).toBeLessThanOrEqual(22);
  at.checked.splice(0);
  await stall(at);
  await at.clock.advance(0);
  expect(at.checked.filter(check => check === `${at.clock.now()} e1`)).toHaveLength(1);
  // Not one for each client that waits.
  at.checked.splice(0);
  for (let second = 0; second < 60; second++) {
    at.checks.suspect(one, "stalled");
    await at.clock.advance(1_000);
  }
  expect(checksOf(at, 1).length).toBeLessThanOrEqual(12);
  expect(checksOf(at, 1)).not.toContain("deep");
  expect(at.reports.filter(report => report.endsWith("alone"))).toEqual([]);
  at.checks.close();
});

describe("a stall", () => {
  test("causes a check of the status, then a deep one, and counts for nothing if both succeed", async () => {
    const at = startMembers();
    await at.clock.advance(minute);
    at.checked.splice(0);
    at.reports.splice(0);
    await stall(at);
    await at.clock.advance(500);
    expect(at.checked).toEqual(["62000 e1", "62000 e2", "62000 e3", "62375 e1 deep"]);
    expect(at.reports.every(report => report.endsWith("ok"))).toBe(true);
    // One failure later is one only, though the client still waits.
    at.finds.set(1, bad);
    await at.clock.advance(11_000);
    expect(checksOf(at, 1).slice(2)).toEqual(["regular"]);
    at.finds.set(1, status);
    await at.clock.advance(minute);
    expect(at.reports.filter(report => report.endsWith("timed-out"))).toEqual([]);
    at.checks.close();
  });

  test("that is over when its status is known causes no deep check, as after an election", async () => {
    const at = startMembers();
    await at.clock.advance(minute);
    await stall(at);
    await at.clock.advance(100);
    at.activity.clear();
    await at.clock.advance(30_000);
    expect(checksOf(at, 1)).not.toContain("deep");
    at.checks.close();
  });

  test("that comes soon after another one is checked later, unless it is over by then", async () => {
    for (const isOver of [true, false]) {
      const at = startMembers();
      at.activity.set(1, {
        answeredMs: 0,
        get bytes() {
          return at.clock.now();
        },
      });
      await at.clock.advance(minute);
      await stall(at);
      await at.clock.advance(1_000);
      at.checks.suspect(one, "stalled");
      if (isOver) at.activity.set(1, { bytes: 100_000, answeredMs: 0 });
      await at.clock.advance(10_000);
      expect(at.checked.includes("72000 e1")).toBe(!isOver);
      at.checks.close();
    }
  });

  test("of a cluster that agrees more slowly than a waiting client should wait moves nobody", async () => {
    const agreesMs = 1_700;
    const at = startMembers({
      async probe(_, __, request) {
        if (request?.depth === "regular") return status;
        const { timeoutMs = 2_000 } = request ?? {};
        await new Promise<void>(resolve => at.clock.after(Math.min(agreesMs, timeoutMs), resolve));
        return timeoutMs < agreesMs ? { ...shared, check: "etcd /readyz" } : deep;
      },
    });
    await at.clock.advance(minute);
    for (let second = 0; second < 30; second++) {
      await stall(at);
      at.checks.suspect(two, "stalled");
    }
    expect(reportedAfter(at, minute, "e1 ok")).toBeGreaterThan(0);
    expect(at.reports.filter(report => report.endsWith("alone"))).toEqual([]);
    at.checks.close();
  });

  test.each([
    [500, ["regular 1000", "deep 1500"]],
    [10_000, ["regular 5000", "deep 7500"]],
  ])("leaves checks less time than the timeout of %i ms, but enough", async (timeoutMs, expected) => {
    const requests: string[] = [];
    const at = startMembers({
      timeoutMs,
      async probe({ host }, _, request) {
        if (host === "e1") requests.push(`${request?.depth} ${request?.timeoutMs}`);
        return request?.depth === "regular" ? status : deep;
      },
    });
    await at.clock.advance(minute);
    expect(new Set(requests)).toEqual(new Set(["regular undefined"]));
    requests.splice(0);
    await stall(at);
    await at.clock.advance(1_000);
    expect(requests).toEqual(expected);
    at.checks.close();
  });

  test("while an error of this machine prevents checks is no failure", async () => {
    const at = startMembers();
    await at.clock.advance(minute);
    at.finds.set(1, verdictOf("out-of-resources", "endpoint"));
    await stall(at);
    await at.clock.advance(minute);
    expect(at.reports.filter(report => !report.endsWith("ok"))).toEqual([]);
    at.checks.close();
  });

  test("during which this process was paused is checked again, as a stall", async () => {
    const at = startMembers();
    await at.clock.advance(minute);
    at.finds.set(1, bad);
    at.tookMs = 1_000;
    await stall(at);
    await at.clock.advance(500);
    await at.clock.pause(30_000);
    expect(at.reports.filter(report => !report.endsWith("ok"))).toEqual([]);
    await at.clock.advance(1_000);
    expect(at.reports.at(-1)).toMatch(/e1 timed-out$/);
    at.checks.close();
  });

  test("of an endpoint whose probe knows one depth only causes one request, after the first time", async () => {
    const at = startChecking([one]);
    at.use(1);
    await at.clock.advance(minute);
    at.checked.splice(0);
    for (let round = 0; round < 3; round++) {
      await stall(at);
      await at.clock.advance(28_000);
    }
    expect(checksOf(at, 1).filter(check => check === "deep")).toHaveLength(1);
    at.checks.close();
  });
});

describe("clients that give up after a second each, and are gone then", () => {
  /** One after the other, with a connection of its own: whether one waits longer is never seen. */
  const giveUp = async (at: Checking, times: number): Promise<void> => {
    for (let time = 0; time < times; time++) {
      await at.clock.advance(1_000);
      at.checks.suspect(one, "abandoned");
    }
  };

  test.each([1, 2, 3])("a member that hangs is reported a second after the first: %i", async seed => {
    const random = randomFrom(seed);
    const at = startMembers({ random });
    // The last regular check was two seconds ago, so that none is under way.
    await at.clock.advance(minute);
    const checkedAt = Number.parseInt(at.checked.findLast(check => check.endsWith(" e1")) ?? "", 10);
    await at.clock.advance(Math.max(0, checkedAt + 2_000 - at.clock.now()));
    at.finds.set(1, bad);
    at.tookMs = 2_000;
    const since = at.clock.now();
    await giveUp(at, 3);
    expect(reportedAfter(at, since, "e1 timed-out")).toBe(2_000);
    at.checks.close();
  });

  test("a member without a leader is reported within two checks", async () => {
    const at = startMembers();
    await at.clock.advance(minute);
    at.finds.set(1, shared);
    const since = at.clock.now();
    await giveUp(at, 3);
    expect(reportedAfter(at, since, "e1 unhealthy alone")).toBeLessThanOrEqual(2_200);
    at.checks.close();
  });

  test("a member whose disk stalls is reported after deep checks of all", async () => {
    const at = startMembers();
    await at.clock.advance(minute);
    stallDisk(at, 1);
    const since = at.clock.now();
    await giveUp(at, 7);
    expect(reportedAfter(at, since, "e1 unhealthy alone")).toBeLessThanOrEqual(6_000);
    at.checks.close();
  });

  test("a member that is well is checked at most once in ten seconds, deeply less and less often", async () => {
    const at = startMembers({ random: randomFrom(7) });
    await at.clock.advance(minute);
    at.checked.splice(0);
    at.reports.splice(0);
    for (let second = 0; second < 600; second++) {
      await at.clock.advance(1_000);
      for (let client = 0; client < 5; client++) at.checks.suspect(one, "abandoned");
      // Others stall, and are answered.
      if (second % 7 === 0) at.checks.suspect(one, "stalled");
    }
    expect(checksOf(at, 1).filter(check => check === "regular").length).toBeGreaterThanOrEqual(55);
    expect(checksOf(at, 1).filter(check => check === "regular").length).toBeLessThanOrEqual(60);
    const deepChecks = checksOf(at, 1).filter(check => check === "deep").length;
    expect(deepChecks).toBeGreaterThanOrEqual(5);
    expect(deepChecks).toBeLessThanOrEqual(9);
    expect(at.reports.every(report => report.endsWith("ok"))).toBe(true);
    at.checks.close();
  });

  test("one that gives up soon after a check is followed by another check later, though nobody waits", async () => {
    const at = startMembers();
    await at.clock.advance(minute);
    await stall(at);
    await at.clock.advance(1_000);
    at.activity.set(1, { bytes: 10_000, answeredMs: 0 });
    at.checks.suspect(one, "abandoned");
    await at.clock.advance(8_900);
    expect(at.checked).not.toContain("72000 e1");
    await at.clock.advance(100);
    expect(at.checked).toContain("72000 e1");
    at.checks.close();
  });

  test("while a stall is over, the deep check that one has caused is still made", async () => {
    const at = startMembers();
    await at.clock.advance(minute);
    await stall(at);
    at.checks.suspect(one, "abandoned");
    at.activity.clear();
    await at.clock.advance(500);
    expect(checksOf(at, 1).at(-1)).toBe("deep");
    at.checks.close();
  });
});

test("when an endpoint with clients is suspected, candidates are checked unless they were a moment ago", async () => {
  const at = startChecking([one, two, three, endpoint(4)]);
  for (const number of [1, 2, 3, 4]) heal(at, number);
  at.use(1);
  await at.clock.advance(40_000);
  at.checked.splice(0);
  at.checks.suspect(one, "lost");
  await at.clock.advance(0);
  expect(at.checked).toEqual(["40000 e1", "40000 e2", "40000 e3", "40000 e1 deep"]);
  at.checked.splice(0);
  for (let second = 0; second < 9; second++) {
    await at.clock.advance(1_000);
    at.checks.suspect(one, "lost");
  }
  await at.clock.advance(0);
  expect(at.checked).toEqual(Array.from({ length: 9 }, (_, index) => `${41_000 + index * 1_000} e1`));
  at.checks.close();
});

test("when the endpoint in use is gone, the candidates are checked soon", async () => {
  const at = startMembers();
  await at.clock.advance(40_000);
  at.checked.splice(0);
  at.endpointDown(1, { unhealthy: true });
  at.checks.update();
  await at.clock.advance(5_000);
  expect(at.checked.map(check => check.split(" ")[1]).sort()).toEqual(["e2", "e3"]);
  at.checks.close();
});

test("facts are reported with each verdict that has some", async () => {
  const at = startMembers();
  at.finds.set(1, { ...status, facts: { clusterId: "abc" } });
  at.finds.set(2, { ...shared, facts: { clusterId: "def" } });
  await at.clock.advance(1_000);
  expect(at.facts).toEqual(["e1 abc", "e2 def"]);
  at.checks.close();
});

test("the pool gets the facts of all requests of a check", async () => {
  const clock = manualClock();
  const verdicts: Verdict[] = [];
  const member: EndpointStatus = {
    endpoint: one,
    state: "up",
    unhealthy: false,
    inUse: true,
    connections: 1,
    since: 0,
  };
  const checks = checkHealth({
    clock,
    pool: { inspect: () => [member], report: (_, verdict) => verdicts.push(verdict) },
    probe: async (_, __, request) =>
      request?.depth === "deep" ? deep : { ...status, facts: { clusterId: "abc" } },
  });
  await clock.advance(0);
  checks.suspect(one);
  await clock.advance(0);
  expect(verdicts).toEqual([{ ...deep, facts: { clusterId: "abc" } }]);
  checks.close();
});

describe("a check because of a client that waits has", () => {
  /** How long the check takes that a hanging member leaves without an answer, in milliseconds. */
  const limitOf = async (at: Checking, roundTripMs: number): Promise<number> => {
    at.finds.set(1, { ...status, facts: { roundTripMs } });
    await at.clock.advance(minute);
    Object.assign(at, { tookMs: 5_000 });
    at.finds.set(1, bad);
    await stall(at);
    const since = at.clock.now();
    await at.clock.advance(5_000);
    at.checks.close();
    return reportedAfter(at, since, "e1 timed-out") ?? Infinity;
  };
  /** One that is not checked by itself while the client waits. */
  const startRarely = (): Checking => startMembers({ intervalMs: 3_600_000 });

  test.each([
    [2, 520],
    [20, 700],
    [50, 1_000],
    [400, 1_000],
  ])("with a round trip of %i ms: %i ms", async (roundTripMs, limitMs) => {
    expect(await limitOf(startRarely(), roundTripMs)).toBe(limitMs);
  });

  test("with a round trip that was slow a while ago: part of the time that it would have had", async () => {
    const at = startRarely();
    at.finds.set(1, { ...status, facts: { roundTripMs: 42 } });
    await at.clock.advance(minute);
    at.finds.set(1, { ...status, facts: { roundTripMs: 2 } });
    at.checks.suspect(one, "ended");
    expect(await limitOf(at, 2)).toBe(720);
  });

  test("half of the timeout where a client gave up", async () => {
    const at = startRarely();
    at.finds.set(1, { ...status, facts: { roundTripMs: 2 } });
    await at.clock.advance(minute);
    Object.assign(at, { tookMs: 5_000 });
    at.finds.set(1, bad);
    const since = at.clock.now();
    at.checks.suspect(one, "abandoned");
    await at.clock.advance(5_000);
    expect(reportedAfter(at, since, "e1 timed-out")).toBe(1_000);
    at.checks.close();
  });

  test("half of the timeout after a false alarm", async () => {
    const at = startRarely();
    at.finds.set(1, { ...status, facts: { roundTripMs: 2 } });
    await at.clock.advance(minute);
    await stall(at);
    await at.clock.advance(1_000);
    expect(checksOf(at, 1).at(-1)).toBe("deep");
    at.activity.delete(1);
    expect(await limitOf(at, 2)).toBe(1_000);
  });
});

describe("a connection that was open for long has ended", () => {
  /** The first of three members, in use, has answered its clients for minutes. */
  const startAnswering = async (): Promise<Checking> => {
    const at = startMembers();
    at.activity.set(1, {
      answeredMs: 0,
      get bytes() {
        return at.clock.now();
      },
    });
    await at.clock.advance(5 * minute);
    at.checked.length = 0;
    return at;
  };

  test("and the member has no leader, though clients get answers: it is reported within seconds", async () => {
    const at = await startAnswering();
    at.finds.set(1, shared);
    at.checks.suspect(one, "ended");
    await at.clock.advance(3_000);
    expect(reportedAfter(at, 5 * minute, "e1 unhealthy alone")).toBeGreaterThan(0);
    at.checks.close();
  });

  test("again and again: one regular check a minute, and no deep one", async () => {
    const at = await startAnswering();
    for (let second = 0; second < 600; second++) {
      at.checks.suspect(one, "ended");
      await at.clock.advance(1_000);
    }
    expect(checksOf(at, 1).filter(check => check === "regular").length).toBeLessThanOrEqual(11);
    expect(checksOf(at, 1).filter(check => check === "deep").length).toBeLessThanOrEqual(1);
    expect(checksOf(at, 2).length).toBeLessThanOrEqual(4);
    at.checks.close();
  });

  test("as others have for an hour in which it was checked more often: the next check is within a minute", async () => {
    const at = startMembers();
    await at.clock.advance(minute);
    for (let second = 0; second < 3_600; second++) {
      at.checks.suspect(one, "ended");
      await at.clock.advance(1_000);
    }
    at.activity.set(1, {
      answeredMs: 0,
      get bytes() {
        return at.clock.now();
      },
    });
    await at.clock.advance(minute);
    at.finds.set(1, shared);
    const since = at.clock.now();
    at.checks.suspect(one, "ended");
    await at.clock.advance(minute + 3_000);
    expect(reportedAfter(at, since, "e1 unhealthy alone")).toBeLessThan(minute + 3_000);
    at.checks.close();
  });
});
