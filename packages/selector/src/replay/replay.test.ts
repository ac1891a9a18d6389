import { GatewayError, type Lease, type Selector } from "@gw/interface";
import { manualClock } from "@gw/testing";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hosts, type Step, step } from "../../test/steps.js";
import { endpoint } from "../../test/support.js";
import { createPool } from "../pool/pool.js";
import type { PoolRecord } from "./record.js";
import { recordDecisions } from "./recording.js";
import { replayDecisions } from "./replay.js";

/** What happens to a client whose connection ends. */
type End = Step | { readonly do: "end"; readonly lease: number; readonly answered: boolean };

const history = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: step as fc.Arbitrary<End> },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("end" as const), lease: fc.nat(7), answered: fc.boolean() }),
    },
  ),
  { minLength: 30, maxLength: 200, size: "max" },
);

/** Lets a recorded pool live through a history. */
async function live(
  steps: readonly End[],
  limits?: { readonly items: number; readonly characters: number },
): Promise<PoolRecord> {
  const clock = manualClock();
  // Time goes by while a pool works.
  let driftMs = 0;
  const now = (): number => {
    driftMs += 0.017;
    return clock.now() + driftMs;
  };
  const recording = recordDecisions({ wallMs: () => 1_000_000 + clock.now(), seed: 7, limits });
  const leases: Lease[] = [];
  let up: readonly string[] = [];
  let choice = 0;
  const selector: Selector = { pick: candidates => candidates[choice % candidates.length] };
  const pool = createPool({
    selector,
    recording,
    clock: { now, after: clock.after },
    retryDelayMs: 1_000,
    maxRetryDelayMs: 4_000,
    onRemoved: "leave",
    onUnhealthy: "leave",
    async probe({ host }) {
      if (!up.includes(host)) throw new GatewayError("refused", `${host} is down`);
      return { check: "tcp", scope: "endpoint", conclusive: choice % 2 === 0 };
    },
  });
  pool.update(hosts.map(host => endpoint(host)));
  for (const one of steps)
    if (one.do === "acquire") {
      ({ choice } = one);
      const tried = one.tried.map(host => endpoint(host));
      const lease = pool.acquire({ tried, onRevoked: error => one.prompt && lease?.failed(error) });
      if (lease) leases.push(lease);
      if (leases.length > 8) leases.shift();
    } else if (one.do === "update") pool.update(one.endpoints);
    else if (one.do === "report") pool.report(endpoint(one.host), one.verdict, one.anotherIsHealthy);
    else if (one.do === "advance") {
      ({ up } = one);
      await clock.advance(one.ms);
    } else {
      const lease = leases[one.lease];
      if (one.do === "connect") lease?.connected();
      else if (one.do === "fail") lease?.failed(one.error);
      else lease?.released(undefined, one.do === "end" ? one.answered : undefined);
    }
  pool.close();
  const record = recording.record();
  if (!record) throw new Error("nothing was recorded");
  return JSON.parse(JSON.stringify(record));
}

describe("a replay with the same options equals the record", () => {
  test("of any history", async () => {
    const kinds = new Set<string>();
    await fc.assert(
      fc.asyncProperty(history, async steps => {
        const { recorded, replayed } = await replayDecisions(await live(steps));
        for (const { event } of recorded) kinds.add(event);
        expect(replayed).toEqual(recorded);
      }),
      { numRuns: 300 },
    );
    expect([...kinds].sort()).toEqual(
      ["endpoint down", "endpoint still down", "endpoint up", "failover", "panic", "panic over"].sort(),
    );
  }, 60_000);

  test("from a state in the middle of it", async () => {
    let snapshots = 0;
    await fc.assert(
      fc.asyncProperty(history, async steps => {
        const record = await live(steps, { items: 10, characters: 1e6 });
        if (record.start.entries.length > 0) snapshots += 1;
        expect(record.items.length).toBeLessThan(60);
        const { recorded, replayed } = await replayDecisions(record);
        expect(replayed).toEqual(recorded);
      }),
      { numRuns: 300 },
    );
    expect(snapshots).toBeGreaterThan(50);
  }, 60_000);
});
