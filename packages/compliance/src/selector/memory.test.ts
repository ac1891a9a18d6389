import type { Candidate, Selector } from "@gw/interface";
import { selector, testThatAreCaught } from "../../test/selectors.js";

const arrays = "keeps no array: the caller may change it between calls and use it again";
const alone = "shares nothing with another selector of the same factory";

const shared = new Map<string, Candidate>();
const singleton = selector(candidates => candidates[0]);

testThatAreCaught({
  "returns what it should have picked one call earlier": {
    make() {
      let last: Candidate | undefined;
      return selector(([one]) => {
        const picked = one && (last ?? one);
        last = one;
        return picked;
      });
    },
    fails: "never returns a candidate of an earlier call",
    message: /at call 2, .*the candidate 10\.0\.0\.0:2379 of another call/,
  },
  "keeps to its first candidate for ever": {
    make: () => keeping(candidates => candidates[0]),
    fails: "never returns its last pick once that is gone",
    message: /the candidate 10\.0\.0\.0:2379 of another call/,
  },
  "keeps to its first index for ever": {
    make() {
      let index: number | undefined;
      return selector(candidates => {
        index ??= candidates.length - 1;
        return candidates[index];
      });
    },
    fails: "follows candidates that come and go",
    message: /it returned undefined/,
  },
  "keeps the array": {
    make() {
      let kept: readonly Candidate[] = [];
      return selector(candidates => {
        if (candidates.length > 0 && kept.length === 0) kept = candidates;
        return candidates.length > 0 ? kept[0] : undefined;
      });
    },
    fails: arrays,
    message: /very objects/,
  },
  "freezes the array": {
    make: () => selector(candidates => Object.freeze(candidates)[0]),
    fails: arrays,
    message: /belongs to the caller.*it was frozen/s,
  },
  "remembers its pick for an array": {
    make() {
      const answers = new WeakMap<object, Candidate | undefined>();
      return selector(candidates => {
        if (!answers.has(candidates)) answers.set(candidates, candidates[0]);
        return answers.get(candidates);
      });
    },
    fails: arrays,
    message: /contents of the same array were replaced, .*of another call/,
  },
  "returns undefined once all have connections": {
    make: () => selector(candidates => candidates.find(({ connections }) => connections < 20)),
    fails: "copes with numbers of connections that change between calls",
    message: /with \d+ connections made, .*it returned undefined/,
  },
  "shares candidates through its module": {
    make: () =>
      selector(([one]) => {
        if (!one) return undefined;
        if (!shared.has(one.endpoint.host)) shared.set(one.endpoint.host, one);
        return shared.get(one.endpoint.host);
      }),
    fails: alone,
    message: /the first of two selectors, /,
  },
  "is the same object each time": {
    make: () => singleton,
    fails: alone,
    message: /fresh selector each time.*the same object twice/s,
  },
});

function keeping(pick: (candidates: readonly Candidate[]) => Candidate | undefined): Selector {
  let kept: Candidate | undefined;
  return selector(candidates => {
    kept ??= pick(candidates);
    return candidates.length > 0 ? kept : undefined;
  });
}
