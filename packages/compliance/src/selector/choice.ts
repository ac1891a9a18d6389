import type { Selector } from "@gw/interface";
import type { Case } from "../suite.js";
import { seededRandom, shuffled } from "../test-support/random.js";
import { candidate, candidates, endpointAt, endpoints, liveCandidate, notableSets } from "./candidates.js";
import { chooser } from "./chooser.js";

/** What pick() may return. */
export const choiceCases: readonly Case<() => Promise<Selector>>[] = [
  {
    name: "returns undefined when there are no candidates",
    async check(make) {
      const { choose } = chooser(await make());
      choose([], "at its first call");
      choose(candidates(endpoints(3)), "after a call without candidates");
      choose([], "after a call with candidates");
      choose([], "again");
      choose(candidates(endpoints(3)), "after calls without candidates");
    },
  },
  {
    name: "returns a candidate whenever there is one",
    async check(make) {
      for (let count = 1; count <= 9; count++) {
        const { choose } = chooser(await make());
        const offered = candidates(endpoints(count));
        for (let call = 0; call < 100; call++) choose(offered, `at call ${call + 1}`);
      }
    },
  },
  {
    name: "returns one of the very objects that it was given, no copy and no other candidate",
    async check(make) {
      const { choose } = chooser(await make());
      for (const [name, set] of Object.entries(notableSets)) {
        choose(candidates(set), name);
        choose(
          set.map(endpoint => liveCandidate(endpoint)),
          `${name}, with candidates that have getters`,
        );
      }
    },
  },
  {
    name: "returns a candidate and not a promise of one",
    async check(make) {
      const { choose } = chooser(await make());
      for (const count of [1, 2, 9]) choose(candidates(endpoints(count)));
    },
  },
  {
    name: "never throws, whatever candidates it is given",
    async check(make) {
      const { choose } = chooser(await make());
      for (let round = 0; round < 20; round++)
        for (const [name, set] of Object.entries(notableSets)) {
          choose(candidates(set), name);
          choose(
            set.map(endpoint => candidate(endpoint, Number.MAX_SAFE_INTEGER)),
            `${name}, with as many connections as possible`,
          );
          choose([], `after ${name}`);
        }
    },
  },
  {
    name: "picks among 10,000 candidates",
    async check(make) {
      const { choose } = chooser(await make());
      const offered = candidates(endpoints(10_000));
      for (let call = 0; call < 3; call++) choose(offered);
      for (let call = 0; call < 3; call++)
        choose(candidates(endpoints(10_000)), "all replaced by new objects");
    },
  },
  {
    name: "keeps its contract for 10,000 calls with ever different candidates",
    async check(make) {
      const { choose } = chooser(await make());
      const random = seededRandom(2379);
      const below = (limit: number): number => Math.floor(random() * limit);
      const known = Array.from({ length: 12 }, (_, index) => endpointAt(index, { weight: below(65_536) }));
      let offered = candidates(known);
      for (let call = 1; call <= 10_000; call++) {
        const kept = offered.filter(() => random() < 0.7);
        const fresh = known.filter(() => random() < 0.3).map(endpoint => candidate(endpoint, below(5)));
        const names = new Map([...kept, ...fresh].map(one => [one.endpoint.host, one]));
        offered = shuffled([...names.values()], random);
        if (random() < 0.5) Object.freeze(offered);
        choose(offered, `at call ${call}`);
      }
    },
  },
];
