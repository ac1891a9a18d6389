import type { Candidate, Selector } from "@gw/interface";
import { testThatAreCaught } from "../../test/selectors.js";

const target = "has as its target one of the very objects that it was given, or none";
const gone = "never has a target that is gone";
const noEffect = "picks the same whether it is asked for its target or not";

/** Picks the first, and has a target that may violate the types. */
function aiming(target: (candidates: readonly Candidate[]) => unknown): Selector {
  return { pick: candidates => candidates[0], target: target as NonNullable<Selector["target"]> };
}

testThatAreCaught({
  "has a copy as its target": {
    make: () => aiming(([one]) => one && { ...one }),
    fails: target,
    message: /target\(\) returns one of the very objects.*another object for 10\.0\.0\.0:2379/s,
  },
  "has an endpoint as its target": {
    make: () => aiming(([one]) => one?.endpoint),
    fails: target,
    message: /target\(\) returns one of the very objects/,
  },
  "has null as its target": {
    make: () => aiming(() => null),
    fails: target,
    message: /target\(\) returns undefined when there are no candidates.*it returned null/s,
  },
  "has the promise of a target": {
    make: () => aiming(async ([one]) => one),
    fails: target,
    message: /it returned a promise/,
  },
  "throws where it has no target": {
    make: () =>
      aiming(candidates => {
        if (candidates.length === 0) throw new RangeError("none");
        return candidates[0];
      }),
    fails: target,
    message: /target\(\) never throws.*it threw RangeError/s,
  },
  "keeps to its target for ever": {
    make() {
      let kept: Candidate | undefined;
      return aiming(([one]) => {
        kept ??= one;
        return kept;
      });
    },
    fails: gone,
    message: /target\(\) .*the candidate 10\.0\.0\.0:2379/s,
  },
  "picks what it was asked for as its target": {
    make() {
      let turn = 0;
      const next = (candidates: readonly Candidate[]): Candidate | undefined => {
        turn += 1;
        return candidates[turn % candidates.length];
      };
      return { pick: next, target: next };
    },
    fails: noEffect,
    message: /at call 1, it picked .* if it was not asked for its target/,
  },
  "draws its target at random": {
    make: () => {
      const draw = (candidates: readonly Candidate[]): Candidate | undefined =>
        candidates[Math.floor(Math.random() * candidates.length)];
      return { pick: draw, target: draw };
    },
    fails: noEffect,
    message: /target\(\) has no effect on what pick\(\) returns/,
  },
  "sorts the array for its target": {
    make: () => aiming(candidates => (candidates as Candidate[]).reverse()[0]),
    fails: "changes neither the array, nor the candidates, nor their endpoints",
    message: /the array holds something else, or in another order/,
  },
});
