import { GatewayError, quote, type Selector, type SelectorFactory } from "@gw/interface";
import {
  first,
  leastConnections,
  random,
  roundRobin,
  stickyRandom,
  twoChoices,
  weightedRandom,
  weightedRoundRobin,
} from "@gw/selector";

/** A policy that comes with gw. */
export interface BuiltInSelector {
  readonly make: SelectorFactory;
  /** Keeps to one endpoint, so that to move connections to others is in vain. */
  readonly sticky?: true;
  /** Gives endpoints their share by SRV weight. */
  readonly weighted?: true;
}

/** The selectors that come with gw; the first is the default. */
export const builtInSelectors: { readonly [name: string]: BuiltInSelector } = {
  "sticky-random": { make: options => plain(options, stickyRandom), sticky: true },
  random: { make: options => plain(options, random) },
  "round-robin": { make: options => plain(options, roundRobin) },
  "weighted-round-robin": { make: options => plain(options, weightedRoundRobin), weighted: true },
  "weighted-random": { make: options => plain(options, weightedRandom), weighted: true },
  "least-connections": { make: options => plain(options, leastConnections), weighted: true },
  "two-choices": {
    make({ choices, ...rest }) {
      refuseOthers(rest, ["choices"]);
      return twoChoices({ choices: choices === undefined ? undefined : numberIn("choices", choices) });
    },
    weighted: true,
  },
  first: { make: options => plain(options, first), sticky: true },
};

/** The one that is used where nothing is said. */
export const defaultSelector: string = Object.keys(builtInSelectors)[0] ?? "";

/** A policy that has no options. */
function plain(options: { readonly [key: string]: string }, make: () => Selector): Selector {
  refuseOthers(options, []);
  return make();
}

function refuseOthers(rest: { readonly [key: string]: string }, known: readonly string[]): void {
  const [unknown] = Object.keys(rest);
  if (unknown === undefined) return;
  const has = known.length > 0 ? `it has ${known.join(", ")}` : "it has none";
  throw new GatewayError("invalid-option", `there is no option ${quote(unknown)}; ${has}`);
}

function numberIn(key: string, value: string): number {
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw new GatewayError("invalid-option", `${key} ${quote(value)} is not a whole number`);
}
