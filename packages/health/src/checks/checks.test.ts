import type { Verdict } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { bad, endpoint, good, randomFrom, shared, startChecking, verdictOf } from "../../test/checking.js";
import { type CheckOptions, checkHealth } from "./checks.js";

const [one, two, three] = [endpoint(1), endpoint(2), endpoint(3)];

/** What happened since the last call. */
function taken(list: string[]): string[] {
  return list.splice(0);
}

test("an endpoint with clients is checked each interval, two candidates each 4 minutes, the others each 10", async () => {
  const at = startChecking([one, two, three, endpoint(4, 1)]);
  at.use(2);
  await at.clock.advance(10_000);
  expect(taken(at.checked)).toEqual(["500 e1", "500 e3", "500 e2", "5000 e4", "6000 e2"]);
  await at.clock.advance(390_000);
  const times = (name: string) => taken([...at.checked].filter(check => check.split(" ")[1] === name));
  expect(times("e2").slice(0, 3)).toEqual(["15500 e2", "25000 e2", "34500 e2"]);
  expect(times("e2")).toHaveLength(41);
  expect(times("e1")).toEqual(["132500 e1", "360500 e1"]);
  expect(times("e3")).toEqual(["132500 e3", "360500 e3"]);
  expect(times("e4")).toEqual(["335000 e4"]);
  at.checks.close();
});

test("with a long interval, candidates and others are checked as often as with the default, or each interval", async () => {
  const slow = startChecking([one, two, three, endpoint(4)], { intervalMs: 60_000, random: () => 0 });
  slow.use(1);
  await slow.clock.advance(600_000);
  const times = (name: string) => slow.checked.filter(check => check.split(" ")[1] === name);
  expect(times("e1")).toHaveLength(11);
  expect(times("e3")).toEqual(["0 e3", "240000 e3", "480000 e3"]);
  expect(times("e4")).toEqual(["0 e4", "600000 e4"]);
  slow.checks.close();
  const slower = startChecking([one, two, three, endpoint(4)], { intervalMs: 800_000, random: () => 0 });
  await slower.clock.advance(800_000);
  for (const host of ["e1", "e2", "e3", "e4"])
    expect(slower.checked.filter(check => check.endsWith(host))).toEqual([`0 ${host}`, `800000 ${host}`]);
  slower.checks.close();
});

test("what becomes the one in use is checked within an interval", async () => {
  const at = startChecking([one, two, three]);
  at.use(1);
  await at.clock.advance(20_000);
  taken(at.checked);
  at.use(3);
  await at.clock.advance(10_000);
  expect(at.checked.some(check => check.endsWith("e3"))).toBe(true);
  at.checks.close();
});

test("what becomes the one in use is checked at once after update()", async () => {
  const at = startChecking([one, two, three]);
  at.use(1);
  await at.clock.advance(20_000);
  taken(at.checked);
  at.use(3);
  at.checks.update();
  await at.clock.advance(0);
  expect(at.checked).toEqual(["20000 e3"]);
  at.checks.close();
});

test("a healthy verdict is reported at once, an unhealthy one when it is confirmed soon after", async () => {
  const at = startChecking([one]);
  at.use(1);
  at.tookMs = 100;
  await at.clock.advance(600);
  expect(taken(at.reports)).toEqual(["600 e1 ok"]);
  at.finds.set(1, bad);
  await at.clock.advance(8_000);
  expect(taken(at.checked)).toEqual(["500 e1", "6000 e1", "7000 e1", "8100 e1"]);
  expect(taken(at.reports)).toEqual(["7100 e1 timed-out", "8200 e1 timed-out"]);
  at.finds.set(1, good);
  await at.clock.advance(5_000);
  expect(at.reports).toEqual(["9800 e1 ok"]);
  at.checks.close();
});

test("a failure that is followed by a success does not count", async () => {
  const at = startChecking([one], { fall: 3 });
  at.use(1);
  at.finds.set(1, bad);
  await at.clock.advance(1_600);
  expect(taken(at.checked)).toEqual(["500 e1", "1500 e1"]);
  at.finds.set(1, good);
  await at.clock.advance(1_000);
  at.finds.set(1, bad);
  await at.clock.advance(11_000);
  expect(at.reports).toEqual(["2500 e1 ok"]);
  await at.clock.advance(1_000);
  expect(at.reports).toEqual(["2500 e1 ok", "14000 e1 timed-out"]);
  at.checks.close();
});

test.each([1, 2, 3, 5])(
  "a failure that begins at any time is reported within fall × interval + timeout: fall %i",
  async fall => {
    const random = randomFrom(1);
    for (let round = 0; round < 20; round++) {
      const at = startChecking([one, two, three], { fall, random });
      at.use(1);
      const from = 10_000 + random() * 10_000;
      await at.clock.advance(from);
      at.finds.set(1, bad);
      at.tookMs = 2_000;
      await at.clock.advance(fall * 10_000 + 2_000);
      expect(at.reports.filter(report => report.endsWith("e1 timed-out"))).not.toEqual([]);
      expect(at.mostAtOnce).toBe(1);
      at.checks.close();
      expect(at.clock.pending).toBe(0);
    }
  },
);

test("when one fails, those that were not checked for an interval are", async () => {
  const at = startChecking([one, two, three], { fall: 1 });
  at.use(1);
  await at.clock.advance(25_000);
  taken(at.checked);
  at.finds.set(1, bad);
  await at.clock.advance(9_500);
  expect(at.checked).toEqual(["34500 e1", "34500 e2", "34500 e3"]);
  at.checks.close();
});

describe("a cause that others may have", () => {
  test("is reported after the others were checked, however recently they had been", async () => {
    const at = startChecking([one, two, three], { fall: 1 });
    at.use(1);
    at.tookMs = 100;
    await at.clock.advance(5_000);
    taken(at.checked);
    taken(at.reports);
    at.finds.set(1, shared);
    at.checks.suspect(one);
    await at.clock.advance(300);
    expect(taken(at.checked)).toEqual(["5000 e1", "5100 e2", "5100 e3"]);
    expect(taken(at.reports)).toEqual(["5200 e2 ok", "5200 e3 ok", "5200 e1 unhealthy"]);
    await at.clock.advance(1_000);
    expect(at.reports).toContain("6200 e1 unhealthy alone");
    at.checks.close();
  });

  test("counts for no failover if the checks of all others found it too", async () => {
    const at = startChecking([one, two, three]);
    at.use(1);
    at.tookMs = 100;
    await at.clock.advance(6_000);
    taken(at.reports);
    for (const number of [1, 2, 3]) at.finds.set(number, shared);
    await at.clock.advance(20_000);
    expect(new Set(at.reports.map(report => report.replace(/^\d+ /, "")))).toEqual(
      new Set(["e1 unhealthy", "e2 unhealthy", "e3 unhealthy"]),
    );
    taken(at.reports);
    at.finds.set(2, good);
    await at.clock.advance(6_000);
    expect(at.reports.map(report => report.replace(/^\d+ /, ""))).toContain("e1 unhealthy alone");
    at.checks.close();
  });

  test("that is over meanwhile, as an election is, is no fault of an endpoint that was checked too early", async () => {
    const at = startChecking([one, two, three], { fall: 1 });
    at.use(1);
    at.tookMs = 100;
    await at.clock.advance(6_000);
    taken(at.reports);
    for (const number of [1, 2, 3]) at.finds.set(number, shared);
    at.checks.suspect(one);
    await at.clock.advance(150);
    // The checks of the others end when there is a leader again.
    for (const number of [2, 3]) at.finds.set(number, good);
    await at.clock.advance(100);
    expect(taken(at.reports)).toEqual(["6200 e2 ok", "6200 e3 ok", "6200 e1 unhealthy"]);
    // If it is still unhealthy after others were healthy, the fault is its own, which is found out soon.
    await at.clock.advance(1_100);
    expect(at.reports).toContain("7200 e1 unhealthy alone");
    at.checks.close();
  });

  test.each([1, 2, 3])(
    "is not reported as the endpoint's own if others recover a little earlier: fall %i",
    async fall => {
      // The checks of one of them and of the others fall together in all combinations.
      for (let beginsAt = 10_000; beginsAt < 20_000; beginsAt += 130) {
        const at = startChecking([one, two, three], { fall });
        at.use(1);
        at.tookMs = 30;
        await at.clock.advance(beginsAt);
        for (const number of [1, 2, 3]) at.finds.set(number, shared);
        await at.clock.advance(1_700);
        at.finds.set(2, good);
        at.checks.suspect(one);
        at.checks.suspect(two);
        await at.clock.advance(200);
        at.finds.set(3, good);
        await at.clock.advance(200);
        at.finds.set(1, good);
        await at.clock.advance(20_000);
        expect(at.reports.filter(report => report.endsWith("alone"))).toEqual([]);
        at.checks.close();
      }
    },
  );

  test("does not cause checks of all of them again and again", async () => {
    const at = startChecking([one, two, three]);
    at.use(1);
    at.tookMs = 1_750;
    await at.clock.advance(10_000);
    taken(at.checked);
    for (const number of [1, 2, 3]) at.finds.set(number, shared);
    await at.clock.advance(60_000);
    // Each interval of 4.5 s, and the checks that confirm the first ones.
    expect(at.checked.length).toBeLessThanOrEqual(3 * (60 / 4.5 + 4));
    expect(at.mostAtOnce).toBe(1);
    at.checks.close();
  });

  test("is not reported of an endpoint that was healthy meanwhile", async () => {
    let finish = (_: Verdict): void => {};
    const verdicts = new Map<string, Verdict[]>([["e1", [shared, good, good]]]);
    const at = startChecking([one, two], {
      fall: 1,
      probe: ({ host }) => {
        const next = verdicts.get(host)?.shift();
        if (next) return Promise.resolve(next);
        return new Promise(resolve => {
          finish = resolve;
        });
      },
    });
    at.use(1);
    await at.clock.advance(1_000);
    at.checks.suspect(one);
    await at.clock.advance(1_000);
    finish(good);
    await at.clock.advance(0);
    expect(at.reports).toEqual(["1500 e1 ok", "2000 e2 ok"]);
    at.checks.close();
  });
});

test("an error of this machine's own is no verdict", async () => {
  const at = startChecking([one], { fall: 1 });
  at.use(1);
  at.finds.set(1, verdictOf("out-of-resources", "endpoint"));
  await at.clock.advance(60_000);
  expect(at.checked.length).toBeGreaterThan(5);
  expect(at.reports).toEqual([]);
  at.checks.close();
});

test("a probe that throws, against its contract, has no verdict and is asked again", async () => {
  for (const probe of [
    () => Promise.reject(new Error("no")),
    () => {
      throw new Error("no");
    },
  ] as CheckOptions["probe"][]) {
    let asked = 0;
    const at = startChecking([one], {
      probe: (endpoint, signal) => {
        asked += 1;
        return probe(endpoint, signal);
      },
    });
    await at.clock.advance(60_000);
    expect(asked).toBeGreaterThan(5);
    expect(at.reports).toEqual([]);
    at.checks.close();
  }
});

describe("a suspect", () => {
  test("is checked at once, and no more than once a second", async () => {
    const at = startChecking([one]);
    await at.clock.advance(2_000);
    taken(at.checked);
    for (let ms = 0; ms < 1_900; ms += 100) {
      at.checks.suspect(one);
      await at.clock.advance(100);
    }
    expect(at.checked).toEqual(["2000 e1", "2000 e1 deep", "3000 e1"]);
    await at.clock.advance(1_000);
    expect(at.checked).toEqual(["2000 e1", "2000 e1 deep", "3000 e1", "4000 e1"]);
    at.checks.close();
  });

  test("that has not been checked yet is checked as well", async () => {
    const at = startChecking([one]);
    await at.clock.advance(0);
    at.checks.suspect(one);
    await at.clock.advance(0);
    expect(at.checked).toEqual(["0 e1", "0 e1 deep"]);
    at.checks.close();
  });

  test("that the pool does not have is ignored", async () => {
    const at = startChecking([one]);
    await at.clock.advance(0);
    at.checks.suspect(two);
    await at.clock.advance(400);
    expect(at.checked).toEqual([]);
    at.checks.close();
  });
});

describe("an endpoint that", () => {
  test("is down or gone is not checked, and the check under way is aborted", async () => {
    const at = startChecking([one, two]);
    at.use(1);
    at.tookMs = 1_000;
    await at.clock.advance(600);
    at.endpointDown(1);
    at.remove(2);
    at.checks.update();
    await at.clock.advance(0);
    // The timer that notices what the pool has, and no check.
    expect(at.clock.pending).toBe(1);
    await at.clock.advance(30_000);
    expect(at.checked).toEqual(["500 e1", "500 e2"]);
    expect(at.reports).toEqual([]);
    at.checks.close();
  });

  test("a dial has marked down is checked while it has connections, since they may hang", async () => {
    const at = startChecking([one]);
    at.use(1);
    at.endpointDown(1, { connections: 3 });
    at.finds.set(1, bad);
    await at.clock.advance(2_000);
    expect(at.reports).toEqual(["1500 e1 timed-out"]);
    at.endpointDown(1, { connections: 3, unhealthy: true });
    taken(at.checked);
    await at.clock.advance(30_000);
    at.endpointDown(1, { connections: 0, unhealthy: false });
    await at.clock.advance(30_000);
    expect(at.checked).toEqual([]);
    at.checks.close();
  });

  test("joins is checked within an interval", async () => {
    const at = startChecking([]);
    await at.clock.advance(12_000);
    at.statuses.set("e1:2379", {
      endpoint: one,
      state: "up",
      unhealthy: false,
      inUse: false,
      connections: 0,
      since: 0,
    });
    await at.clock.advance(10_000);
    expect(at.checked).toHaveLength(1);
    at.checks.close();
  });
});

test("a hundred endpoints are checked spread out, and at small cost", async () => {
  const random = randomFrom(7);
  const at = startChecking(
    Array.from({ length: 100 }, (_, number) => endpoint(number)),
    { random },
  );
  at.use(0);
  await at.clock.advance(60_000);
  const perSecond = new Map<number, number>();
  for (const check of at.checked) {
    const second = Math.floor(Number.parseFloat(check) / 1_000);
    perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
  }
  expect(Math.max(...perSecond.values())).toBeLessThan(40);
  // Each once, and again at a random time within the cadence that follows; one of them each interval.
  expect(at.checked.length).toBeLessThan(99 * 2 + 8);
  taken(at.checked);
  at.finds.set(0, bad);
  at.checks.suspect(endpoint(0));
  await at.clock.advance(0);
  expect(at.checked.length).toBeLessThanOrEqual(7);
  at.checks.close();
});

test("the check type is reported once for each endpoint, and when it changes", async () => {
  const said: string[] = [];
  const at = startChecking([one, two], {
    observer: {
      checkTypeChanged: ({ endpoint, check, note }) =>
        said.push(`${endpoint.host} ${check} ${note ?? ""}`.trim()),
    },
  });
  at.use(1);
  await at.clock.advance(20_000);
  expect(taken(said)).toEqual(["e1 tcp", "e2 tcp"]);
  at.finds.set(1, { check: "tls", scope: "endpoint", note: "refused" });
  await at.clock.advance(20_000);
  at.finds.set(1, bad);
  await at.clock.advance(20_000);
  at.finds.set(1, { check: "tls", scope: "endpoint", note: "refused" });
  await at.clock.advance(20_000);
  expect(taken(said)).toEqual(["e1 tls refused"]);
  at.remove(2);
  await at.clock.advance(20_000);
  at.statuses.set("e2:2379", {
    endpoint: two,
    state: "up",
    unhealthy: false,
    inUse: false,
    connections: 0,
    since: 0,
  });
  await at.clock.advance(20_000);
  expect(said).toEqual(["e2 tcp"]);
  at.checks.close();
});

test("each check is reported, with its duration; an observer that throws changes nothing", async () => {
  const tookMs: number[] = [];
  const warned = new Promise<Error>(resolve => process.once("warning", resolve));
  const at = startChecking([one], {
    observer: {
      checked: event => tookMs.push(event.tookMs),
      checkTypeChanged: () => {
        throw new Error("disk full");
      },
    },
  });
  at.use(1);
  at.tookMs = 30;
  await at.clock.advance(7_000);
  expect(tookMs).toEqual([30, 30]);
  expect(at.reports).toEqual(["530 e1 ok", "6030 e1 ok"]);
  expect((await warned).message).toBe("gw: the observer's checkTypeChanged threw: disk full");
  at.checks.close();
});

test("close aborts the checks under way, and leaves no timer", async () => {
  const at = startChecking([one, two, three]);
  at.tookMs = 1_000;
  await at.clock.advance(600);
  at.checks.close();
  at.checks.update();
  at.checks.suspect(one);
  await at.clock.advance(0);
  expect(at.clock.pending).toBe(0);
  expect(at.reports).toEqual([]);
});

test.each<[Partial<CheckOptions>, string]>([
  [{ intervalMs: 0 }, "intervalMs 0 is not more than 0 and less than 2³¹"],
  [{ intervalMs: Number.NaN }, "intervalMs NaN is not more than 0 and less than 2³¹"],
  [{ timeoutMs: 0 }, "timeoutMs 0 is not more than 0 and less than 2³¹"],
  [{ fall: 0 }, "fall 0 is not a whole number from 1"],
  [{ fall: 1.5 }, "fall 1.5 is not a whole number from 1"],
])("%j is rejected", (options, detail) => {
  const pool = { inspect: () => [], report: () => {} };
  expect(() => checkHealth({ pool, probe: async () => good, ...options })).toThrow(
    expect.objectContaining({ code: "invalid-option", detail }),
  );
});

describe("many endpoints that hang", () => {
  const many = Array.from({ length: 500 }, (_, index) => endpoint(index + 1));
  /** Checks of all but the first three take two seconds and fail. */
  const hanging = () => {
    const at = startChecking(many);
    at.use(1);
    at.tookMs = 2_000;
    at.quick.add(1).add(2).add(3);
    for (const { host } of many.slice(3)) at.finds.set(Number(host.slice(1)), bad);
    return at;
  };

  test("are checked 16 at a time, and with all others no more than 32", async () => {
    const at = hanging();
    await at.clock.advance(60_000);
    expect(at.mostOfAll).toBeGreaterThanOrEqual(16);
    expect(at.mostOfAll).toBeLessThanOrEqual(32);
    expect(new Set(at.checked.map(check => check.split(" ")[1])).size).toBeGreaterThan(100);
    at.checks.close();
    expect(at.clock.pending).toBe(0);
  });

  test("delay neither the endpoint in use, nor a candidate, nor one that is suspected or was healthy", async () => {
    const at = hanging();
    at.connect(2, 1);
    await at.clock.advance(30_000);
    const timesOf = (name: string): readonly number[] =>
      at.checked.filter(check => check.endsWith(` ${name}`)).map(check => Number(check.split(" ")[0]));
    for (const name of ["e1", "e2"])
      for (const [index, time] of timesOf(name).entries())
        expect(time - (timesOf(name)[index - 1] ?? 0)).toBeLessThanOrEqual(10_000);
    const before = timesOf("e300").length;
    at.checks.suspect(endpoint(300));
    await at.clock.advance(1_000);
    expect(timesOf("e300").length).toBe(before + 1);
    await at.clock.advance(270_000);
    // Within four minutes: as if it were alone.
    expect(timesOf("e3").length).toBeGreaterThanOrEqual(3);
    at.checks.close();
  });
});

test("checks of ten thousand endpoints do not each read the whole pool", async () => {
  let draws = 0;
  const random = (): number => (draws++ % 1_000) / 1_000;
  const at = startChecking(
    Array.from({ length: 10_000 }, (_, index) => endpoint(index + 1)),
    { random },
  );
  at.tookMs = 1;
  await at.clock.advance(1_000);
  for (let change = 0; change < 1_000; change++) {
    at.checks.update();
    await at.clock.advance(1);
  }
  expect(at.checked.length).toBeGreaterThan(200);
  expect(at.inspections).toBeLessThanOrEqual(4);
  at.checks.close();
});

describe("a check during which this process was paused", () => {
  test("that failed is repeated, and has no verdict", async () => {
    const at = startChecking([one], { fall: 1 });
    at.tookMs = 1_000;
    at.finds.set(1, bad);
    await at.clock.advance(600);
    await at.clock.pause(60_000);
    expect(at.reports).toEqual([]);
    at.finds.set(1, good);
    await at.clock.advance(1_000);
    expect(at.checked).toEqual(["500 e1", "60600 e1"]);
    expect(at.reports).toEqual(["61600 e1 ok"]);
    at.checks.close();
    expect(at.clock.pending).toBe(0);
  });
});

describe("uninformative checks", () => {
  const refusing: Verdict = { check: "tls", scope: "endpoint", uninformative: true };
  const untrusted: Verdict = { ...verdictOf("untrusted", "cluster"), uninformative: true };
  const hour = 3_600_000;

  test.each([
    ["healthy", refusing],
    ["unhealthy", untrusted],
  ])("are made a few times an hour, if the endpoint is %s", async (_, verdict) => {
    const at = startChecking([one, two, three]);
    at.use(1);
    for (const number of [1, 2, 3]) at.finds.set(number, verdict);
    // Until it is clear, they follow each other quickly.
    await at.clock.advance(60_000);
    taken(at.checked);
    await at.clock.advance(hour);
    for (const name of ["e1", "e2", "e3"])
      expect(at.checked.filter(check => check.endsWith(name)).length).toBeLessThanOrEqual(5);
    expect(at.checked.length).toBeGreaterThanOrEqual(9);
    at.checks.close();
  });

  test("are made at once on suspicion, and once in ten seconds at most", async () => {
    const at = startChecking([one]);
    at.finds.set(1, refusing);
    await at.clock.advance(60_000);
    taken(at.checked);
    for (let second = 0; second < 60; second++) {
      at.checks.suspect(one);
      await at.clock.advance(1_000);
    }
    expect(at.checked[0]).toBe("60000 e1");
    expect(at.checked.length).toBeLessThanOrEqual(7);
    at.checks.close();
  });

  test("are made within an interval after renew(), and then like others", async () => {
    const at = startChecking([one]);
    at.use(1);
    at.finds.set(1, refusing);
    await at.clock.advance(60_000);
    taken(at.checked);
    at.finds.set(1, good);
    at.checks.renew();
    await at.clock.advance(60_000);
    expect(at.checked.length).toBeGreaterThanOrEqual(6);
    at.checks.close();
  });
});
