import { type Candidate, GatewayError, type Selector } from "@gw/interface";
import { viewing } from "./candidate-view.js";
import { compareLoad } from "./least-connections.js";
import type { RandomOptions } from "./random.js";

/** Options of {@link twoChoices}. */
export interface TwoChoicesOptions extends RandomOptions {
  /** How many endpoints are drawn for each connection: a whole number from 2 to 100. @default 2 */
  readonly choices?: number | undefined;
}

/** Defaults of {@link TwoChoicesOptions}. */
export const twoChoicesDefaults = { choices: 2 } as const;

/**
 * Draws two endpoints at random, and takes the one that has fewer connections of this gateway for its SRV weight. That
 * is nearly as even as `leastConnections` (Mitzenmacher, "The Power of Two Choices", 2001), takes as long for a thousand
 * endpoints as for two, and does not send all connections to an endpoint that has recovered.
 *
 * Use it when there are many endpoints, or many gateways.
 *
 * @throws {GatewayError} `invalid-option` if `choices` is out of its range
 */
export function twoChoices(options: TwoChoicesOptions = {}): Selector {
  const { random = Math.random, choices = twoChoicesDefaults.choices } = options;
  if (!(Number.isInteger(choices) && choices >= 2 && choices <= 100))
    throw new GatewayError("invalid-option", `choices ${choices} is not a whole number from 2 to 100`);
  return viewing(candidates => {
    let best: Candidate | undefined;
    for (const index of draw(Math.min(choices, candidates.length), candidates.length, random)) {
      const candidate = candidates.at(index);
      if (candidate && (!best || compareLoad(candidate, best) < 0)) best = candidate;
    }
    return best;
  });
}

/** `count` different whole numbers below `limit`: the first steps of a Fisher–Yates shuffle. */
function draw(count: number, limit: number, random: () => number): readonly number[] {
  const moved = new Map<number, number>();
  return Array.from({ length: count }, (_, place) => {
    const from = place + Math.floor(random() * (limit - place));
    const drawn = moved.get(from) ?? from;
    moved.set(from, moved.get(place) ?? place);
    return drawn;
  });
}
