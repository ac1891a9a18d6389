import type { Candidate, Selector } from "@gw/interface";
import { testThatAreCaught } from "../../test/selectors.js";

const value = "has as picksAhead a boolean, or nothing";
const indifferent = "picks the same before its clients have come as when each has, if it picks ahead";

/** Picks the candidate with the highest score, ahead. */
function ahead(scoreOf: (candidate: Candidate, index: number) => number): Selector {
  return {
    picksAhead: true,
    pick: candidates => {
      const scores = candidates.map(scoreOf);
      return candidates[scores.indexOf(Math.max(...scores))];
    },
  };
}

const dependsOn = /depends only on which endpoints are candidates.*before the client had come/s;

testThatAreCaught({
  "says by a function that it picks ahead": {
    make: () => ({ pick: ([one]) => one, picksAhead: (() => true) as unknown as boolean }),
    fails: value,
    message: /before the first pick, it was \[Function/,
  },
  "says by a number that it picks ahead, once it has picked": {
    make() {
      let picks = 0;
      return {
        pick([one]) {
          picks += 1;
          return one;
        },
        get picksAhead() {
          return (picks > 2 ? picks : false) as boolean;
        },
      };
    },
    fails: value,
    message: /after it was given 2 candidates, it was 3/,
  },
  "picks by connections, ahead": {
    make: () => ahead(({ connections }) => -connections),
    fails: indifferent,
    message: dependsOn,
  },
  "picks by latency, ahead": {
    make: () => ahead(({ latencyMs = 0 }) => -latencyMs),
    fails: indifferent,
    message: dependsOn,
  },
  "picks the leader, ahead": {
    make: () => ahead(({ isLeader }) => Number(isLeader ?? false)),
    fails: indifferent,
    message: dependsOn,
  },
  "picks what has been up for long, ahead": {
    make: () => ahead(({ upMs = 0 }, index) => (upMs > 100_000 ? index : -index)),
    fails: indifferent,
    message: dependsOn,
  },
  "picks by the date, ahead": {
    make: () => ahead((_, index) => (Math.floor(Date.now() / 1_000) + index) % 3),
    fails: indifferent,
    message: dependsOn,
  },
  "picks by the time since its last pick, ahead": {
    make() {
      let pickedAt = performance.now();
      let turn = 0;
      return {
        picksAhead: true,
        pick(candidates) {
          const now = performance.now();
          if (now > pickedAt) turn += 1;
          pickedAt = now;
          return candidates[turn % candidates.length];
        },
      };
    },
    fails: indifferent,
    message: /at call \d+, it picked 10\.0\.0\.\d:2379 before the client had come, and 10\.0\.0\.\d:2379 for/,
  },
  "goes to the next when it is asked whether it picks ahead": {
    make() {
      let turn = 0;
      return {
        pick: candidates => candidates[turn % candidates.length],
        get picksAhead() {
          turn += 1;
          return true;
        },
      };
    },
    fails: indifferent,
    message: dependsOn,
  },
});
