import { formatAddress, type Selector } from "@gw/interface";
import { type Case, violation } from "../suite.js";
import { seededRandom, shuffled } from "../test-support/random.js";
import { candidates, endpointAt, endpoints, knownCandidates, notableSets } from "./candidates.js";
import { type Chooser, chooser } from "./chooser.js";
import { notableFacts } from "./facts.js";

/** What target() may return; a selector without it passes. */
export const targetCases: readonly Case<() => Promise<Selector>>[] = [
  {
    name: "has as its target one of the very objects that it was given, or none",
    async check(make) {
      for (const [known, factsOf] of Object.entries(notableFacts)) {
        const { choose, aim } = chooser(await make());
        aim([], "before the first pick");
        for (const [name, set] of Object.entries(notableSets)) {
          aim(knownCandidates(set, factsOf), `${name}, with ${known}`);
          choose(knownCandidates(set, factsOf), `${name}, with ${known}`);
          aim(knownCandidates(set, factsOf), `${name}, with ${known}, after a pick`);
          aim([], `after ${name}`);
        }
      }
    },
  },
  {
    name: "never has a target that is gone",
    async check(make) {
      const { choose, aim } = chooser(await make());
      const all = candidates(endpoints(6));
      for (let round = 0; round < 10; round++)
        for (let left = all; left.length > 0; ) {
          const picked = choose(left);
          aim(left, "after a pick");
          left = left.filter(one => one !== picked);
          aim(left, "without what it picked");
        }
    },
  },
  {
    name: "picks the same whether it is asked for its target or not",
    async check(make) {
      const alone = await picksOf(make, false);
      // A selector that depends on more than its candidates and Math.random has nothing to compare.
      if (firstDifference(alone, await picksOf(make, false)) !== undefined) return;
      const asked = await picksOf(make, true);
      const call = firstDifference(alone, asked);
      if (call !== undefined)
        throw violation(
          "target() has no effect on what pick() returns.",
          `at call ${call + 1}, it picked ${alone[call]} if it was not asked for its target, else ${asked[call]}`,
        );
    },
  },
];

/** What a new selector picks from ever different candidates, with a random source that is the same each time. */
async function picksOf(
  make: () => Promise<Selector>,
  isAskedForTarget: boolean,
): Promise<readonly (string | undefined)[]> {
  const { random: original } = Math;
  Math.random = seededRandom(2382);
  try {
    const { choose, aim } = chooser(await make());
    const ask: Chooser["aim"] = (offered, occasion) =>
      isAskedForTarget ? aim(offered, occasion) : undefined;
    const random = seededRandom(2383);
    const known = Object.entries(notableFacts);
    return Array.from({ length: 500 }, (_, call) => {
      const [name = "", factsOf = () => ({})] = known[Math.floor(call / 20) % known.length] ?? [];
      const set = Array.from({ length: 6 }, (_, index) => endpointAt(index)).filter(() => random() < 0.8);
      const offered = shuffled(knownCandidates(set, factsOf), random);
      ask(offered, `before a pick, with ${name}`);
      const picked = choose(offered, `with ${name}`);
      ask(offered, `after a pick, with ${name}`);
      return picked && formatAddress(picked.endpoint);
    });
  } finally {
    Math.random = original;
  }
}

function firstDifference(
  one: readonly (string | undefined)[],
  other: readonly (string | undefined)[],
): number | undefined {
  const index = one.findIndex((host, call) => host !== other[call]);
  return index < 0 ? undefined : index;
}
