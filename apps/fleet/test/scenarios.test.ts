import { describe, expect, test } from "vitest";
import type { Fleet } from "../src/fleet.js";
import { isMet, type RunResult } from "../src/results.js";
import { type Scenario, type SetUp, scenarios } from "../src/scenarios.js";
import { maxMoved, simulate } from "../src/simulate.js";

const scale = { gateways: 30, seed: 7 };
const minute = 60_000;

function scenario(name: string): Scenario {
  return scenarios.find(one => one.name === name) as Scenario;
}

/** Long enough for all to be served again. */
function shortened(name: string): Scenario {
  return { ...scenario(name), settleMs: 2 * minute, observedMs: 9 * minute };
}

function setUp(name: string, number = 0): SetUp {
  return scenario(name).setUps[number] as SetUp;
}

const faults = scenarios.filter(({ name }) => name !== "idle");

/** Calls `look` each ten seconds. */
function eachTenSeconds(fleet: Fleet, look: () => void): void {
  const next = (): void => {
    fleet.clock.tick(10_000, next);
    look();
  };
  next();
}

describe.each(faults.map(({ name }) => name))("%s", name => {
  test("each connection is at a member that has it, or its client waits; in the end all are served", async () => {
    let seen: Fleet | undefined;
    const result = await simulate(shortened(name), setUp(name), scale, fleet => {
      seen = fleet;
      eachTenSeconds(fleet, () => {
        const clients = fleet.gateways.flatMap(({ clients }) => [...clients]);
        const connected = clients.filter(({ member }) => member);
        const lost = connected.filter(client => !client.member?.connections.has(client));
        expect(lost).toEqual([]);
        expect(connected.filter(({ member }) => member?.state === "stopped")).toEqual([]);
        const open = [...fleet.cluster.members].reduce((sum, { connections }) => sum + connections.size, 0);
        expect(open).toBe(connected.length);
      });
    });
    const { clock, cluster, gateways } = seen as Fleet;
    // A client that moves is without a connection for up to a second.
    const unserved = new Set(gateways.flatMap(({ clients }) => [...clients]));
    for (let seconds = 0; seconds < 3; seconds++) {
      for (const client of unserved)
        if (client.member && cluster.serves(client.member)) unserved.delete(client);
      await clock.run(clock.now() + 1_000);
    }
    expect([...unserved]).toEqual([]);
    expect(result.outages?.count).toBeGreaterThan(0);
  });
});

describe("targets", () => {
  const missed = ({ targets }: RunResult): readonly string[] =>
    targets.filter(target => !isMet(target)).map(({ what }) => what);
  const idle = { ...scenario("idle"), settleMs: 2 * minute, observedMs: 10 * minute };

  test("the checks of an idle fleet miss theirs with linearizable reads every five seconds", async () => {
    const busy = setUp("idle", 1);
    const today = { ...busy, settings: { ...busy.settings, intervalMs: 5_000, deepOnly: true } };
    const [now, before] = [await simulate(idle, busy, scale), await simulate(idle, today, scale)];
    expect(missed(before)).toContain("cores of the cluster, mean");
    expect(before.cores.mean).toBeGreaterThan(2 * now.cores.mean);
  });

  test("a member that was restarted gets its share back with failback, and not without", async () => {
    const rolling = scenario("rolling-restart");
    const spread = ({ cluster }: Fleet): number[] =>
      cluster.voters.map(({ connections }) => connections.size);
    /** How connections are spread before the restarts, and at the end. */
    const around = async (number: number): Promise<readonly [number[], number[]]> => {
      let [seen, before]: [Fleet | undefined, number[]] = [undefined, []];
      await simulate(rolling, setUp("rolling-restart", number), scale, fleet => {
        seen = fleet;
        fleet.clock.after(rolling.settleMs - 1, () => {
          before = spread(fleet);
        });
      });
      return [before, spread(seen as unknown as Fleet)];
    };
    const [before, after] = await around(0);
    expect(after).toEqual(before);
    const [, withoutFailback] = await around(1);
    expect(withoutFailback.at(-1)).toBe(0);
  });

  test("without jitter gateways act in step, so that too many connections move at once", async () => {
    const replacement = { ...scenario("replacement"), observedMs: 6 * minute };
    const inStep = await simulate(replacement, setUp("replacement"), { ...scale, jitter: false });
    const jittered = await simulate(replacement, setUp("replacement"), scale);
    expect(missed(inStep)).toContain("connections that move in a second");
    expect(jittered.moved.peak).toBeLessThan(inStep.moved.peak / 2);
    expect(inStep.moved.peak / inStep.connections).toBeGreaterThan(maxMoved);
  });
});

test("the same seed gives the same figures, and another one others", async () => {
  const short = { ...scenario("crash"), observedMs: 3 * minute };
  const run = (seed: number): Promise<RunResult> => simulate(short, setUp("crash"), { gateways: 20, seed });
  const [first, second, other] = [await run(1), await run(1), await run(2)];
  expect(second).toEqual(first);
  expect(other.curves).not.toEqual(first.curves);
});
