import { createFleet, type Fleet, type FleetSettings } from "./fleet.js";
import { evaluate, type RunResult, type Target } from "./results.js";
import type { Scenario, SetUp } from "./scenarios.js";

/** The most connections that may move in one second, as a part of all, besides those of a member that died: it is stopped, hung or cut off. */
export const maxMoved = 0.05;

/** How much to simulate. */
export type Scale = Pick<FleetSettings, "gateways" | "seed" | "jitter">;

/** Simulates one scenario with one set-up. @param watch called with the fleet before it starts */
export async function simulate(
  scenario: Scenario,
  setUp: SetUp,
  scale: Scale,
  watch: (fleet: Fleet) => void = () => {},
): Promise<RunResult> {
  const { settleMs, happenings } = scenario;
  const untilMs = settleMs + (setUp.observedMs ?? scenario.observedMs);
  const fleet = createFleet({ ...scale, ...setUp.settings, longestMs: untilMs });
  watch(fleet);
  for (const { atMs, run } of happenings) fleet.clock.after(settleMs + atMs, () => run(fleet));
  await fleet.clock.run(untilMs);
  const members = fleet.cluster.voters.map(({ id }) => id);
  const result = evaluate(fleet.recorder, [settleMs, untilMs], members);
  return {
    scenario: scenario.name,
    setUp: setUp.name,
    connections: fleet.connections,
    ...result,
    targets: setUp.isHeld === false ? [] : targetsOf(scenario, scale, result, fleet.connections),
  };
}

function targetsOf(
  { maxCores, maxUnfair }: Scenario,
  { gateways }: Scale,
  { cores, unfair, moved }: Pick<RunResult, "cores" | "unfair" | "moved">,
  connections: number,
): readonly Target[] {
  const targets: Target[] = [];
  if (maxCores !== undefined)
    targets.push({
      what: "cores of the cluster, mean",
      limit: (maxCores * gateways) / 10_000,
      value: cores.mean,
    });
  if (maxUnfair !== undefined)
    targets.push({ what: "difference from a fair share at the end", limit: maxUnfair, value: unfair });
  if (connections > 0)
    targets.push({
      what: "connections that move in a second",
      limit: maxMoved,
      value: Number((moved.peak / connections).toPrecision(4)),
    });
  return targets;
}
