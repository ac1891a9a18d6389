import type { Selector } from "@gw/interface";
import type { Case } from "../suite.js";
import { seededRandom } from "../test-support/random.js";
import { candidate, candidates, endpoints, type Facts, knownCandidates, notableSets } from "./candidates.js";
import { chooser } from "./chooser.js";

/** Facts of many kinds, each of them possible. */
export const notableFacts: { readonly [name: string]: (index: number) => Facts } = {
  "nothing known": () => ({}),
  "everything undefined": () => ({
    upMs: undefined,
    latencyMs: undefined,
    isLeader: undefined,
    version: undefined,
  }),
  "everything known": index => ({
    upMs: index * 1_000,
    latencyMs: 1 + index,
    isLeader: index === 1,
    version: "3.5.21",
  }),
  "some known": index => (index % 2 ? { upMs: 5, latencyMs: 0.25, isLeader: false } : { version: "3.4.23" }),
  "no leader": () => ({ isLeader: false }),
  "two leaders": index => ({ isLeader: index < 2 }),
  "the least": () => ({ upMs: 0, latencyMs: 0, isLeader: false, version: "" }),
  "the most": () => ({
    upMs: Number.MAX_SAFE_INTEGER,
    latencyMs: Number.MAX_SAFE_INTEGER,
    isLeader: true,
    version: "3.6.0-rc.1+git",
  }),
};

/** What may be known of candidates, and change. */
export const factCases: readonly Case<() => Promise<Selector>>[] = [
  {
    name: "picks whatever is known of the candidates, from nothing to everything",
    async check(make) {
      for (const [known, factsOf] of Object.entries(notableFacts)) {
        const { choose } = chooser(await make());
        for (const [name, set] of Object.entries(notableSets))
          for (let call = 0; call < 5; call++)
            choose(knownCandidates(set, factsOf), `${name}, with ${known}`);
      }
    },
  },
  {
    name: "copes with facts that become known, change and become unknown",
    async check(make) {
      const { choose } = chooser(await make());
      const random = seededRandom(2381);
      const facts: Facts[] = [{}, {}, {}, {}, {}];
      // As in the pool, the same candidates show what is known now.
      const offered = endpoints(5).map((endpoint, index) => {
        const own = candidate(endpoint);
        const shown = (name: keyof Facts) => ({ get: () => facts[index]?.[name], enumerable: true });
        return Object.freeze(
          Object.defineProperties(own, {
            upMs: shown("upMs"),
            latencyMs: shown("latencyMs"),
            isLeader: shown("isLeader"),
            version: shown("version"),
          }),
        );
      });
      for (let call = 1; call <= 2_000; call++) {
        choose(
          offered.filter(() => random() < 0.9),
          `at call ${call}`,
        );
        const index = Math.floor(random() * facts.length);
        facts[index] =
          random() < 0.3
            ? {}
            : {
                upMs: random() * 1e6,
                latencyMs: random() * 100,
                isLeader: random() < 0.3,
                version: "3.5.21",
              };
      }
      choose(candidates(endpoints(5)), "with nothing known any more");
    },
  },
];
