import { type Candidate, type Clock, GatewayError, type Selector, systemClock } from "@gw/interface";
import { type CandidateView, itemsOf, viewing, viewOf } from "./candidate-view.js";
import { Current } from "./current.js";
import type { RandomOptions } from "./random.js";
import { pickByWeight } from "./weighted-random.js";

/** Options of {@link nearest}. */
export interface NearestOptions extends RandomOptions {
  /** Endpoints are equally near if their latency exceeds the lowest by at most this part of it; 0 or more. @default 0.25 */
  readonly tolerance?: number | undefined;
  /** The same in milliseconds, where that is more; 0 or more. @default 1 */
  readonly minToleranceMs?: number | undefined;
  /**
   * For how long the endpoint in use must exceed the lowest latency by more than twice the tolerance before a nearer one
   * is used, in milliseconds, up to twice as long at random; 0 or more. @default 60000
   */
  readonly settleMs?: number | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** Defaults of {@link NearestOptions}. */
export const nearestDefaults = { tolerance: 0.25, minToleranceMs: 1, settleMs: 60_000 } as const;

/** Latencies are compared at most this often while the endpoint in use is a candidate, in milliseconds. */
const compareMs = 1_000;

/**
 * All connections go to one endpoint at random among those with about the lowest latency, until it fails, or until others
 * have been nearer for a while by a clear margin. The latency is the round trip of health checks; endpoints whose latency
 * is unknown come last. While it is unknown for all of them, or for the endpoint in use, this is `stickyRandom`.
 *
 * Use it when members are in several zones or regions. The delay differs from gateway to gateway, so that they do not all
 * leave a slow endpoint at the same time and make the next one slow.
 *
 * @throws {GatewayError} `invalid-option` if an option is out of its range
 */
export function nearest(options: NearestOptions = {}): Selector {
  const { random = Math.random, clock = systemClock } = options;
  const { tolerance, minToleranceMs, settleMs } = valid(options);
  const current = new Current();
  let comparedAt = -Infinity;
  /** Since when the endpoint in use is far; */
  let farSince: number | undefined;
  /** and for how long it may be. */
  const farMs = settleMs * (1 + random());

  const exceeds = ({ latencyMs = 0 }: Candidate, lowestMs: number, times: number): boolean =>
    latencyMs > lowestMs + Math.max(minToleranceMs, lowestMs * tolerance) * times;
  const isFar = (candidate: Candidate, lowestMs: number): boolean => exceeds(candidate, lowestMs, 2);

  const draw = (candidates: CandidateView): Candidate | undefined => {
    const lowestMs = lowestOf(candidates);
    farSince = undefined;
    const near = itemsOf(candidates).filter(
      one => lowestMs === Infinity || (one.latencyMs !== undefined && !exceeds(one, lowestMs, 1)),
    );
    return current.use(pickByWeight(viewOf(near), random));
  };

  /** The candidate in use, which is another one than before if that was far for long enough. */
  const settled = (candidates: CandidateView): Candidate | undefined => {
    const here = current.in(candidates);
    const now = clock.now();
    if (!here || now - comparedAt < compareMs) return here;
    comparedAt = now;
    if (!isFar(here, lowestOf(candidates))) {
      farSince = undefined;
      return here;
    }
    farSince ??= now;
    return now - farSince >= farMs ? draw(candidates) : here;
  };

  return viewing(candidates => settled(candidates) ?? draw(candidates), {
    target: candidates => {
      const here = settled(candidates);
      const lowestMs = lowestOf(candidates);
      if (here?.latencyMs === undefined || isFar(here, lowestMs)) return undefined;
      // Connections to others that are as near may stay.
      const isLeft = itemsOf(candidates).some(one => one.connections > 0 && isFar(one, lowestMs));
      return isLeft ? here : undefined;
    },
  });
}

/** The lowest latency, in milliseconds; Infinity if none is known. */
function lowestOf(candidates: CandidateView): number {
  let lowestMs = Infinity;
  for (let index = 0; index < candidates.length; index++)
    lowestMs = Math.min(lowestMs, candidates.at(index)?.latencyMs ?? Infinity);
  return lowestMs;
}

/** The numbers with their defaults. */
function valid(options: NearestOptions): { readonly [Name in keyof typeof nearestDefaults]: number } {
  const numberOf = (name: keyof typeof nearestDefaults): number => {
    const number = options[name] ?? nearestDefaults[name];
    if (number >= 0 && number < Infinity) return number;
    throw new GatewayError("invalid-option", `${name} ${number} is not 0 or more`);
  };
  return {
    tolerance: numberOf("tolerance"),
    minToleranceMs: numberOf("minToleranceMs"),
    settleMs: numberOf("settleMs"),
  };
}
