import { inspect } from "node:util";
import { type Candidate, formatAddress, type Selector } from "@gw/interface";
import { type Case, violation } from "../suite.js";
import { seededRandom } from "../test-support/random.js";
import { candidates, endpoints } from "./candidates.js";
import { chooser } from "./chooser.js";

/** Endpoints go up and down in rounds of so many picks. */
const [rounds, picksInRound] = [25, 20];
/** A connection ends when so many more were made. */
const openAtOnce = 8;
/** Between two clients, in milliseconds. */
const intervalMs = 1_000;

/** What a selector that picks for clients that have not come yet must be indifferent to; others pass. */
export const picksAheadCases: readonly Case<() => Promise<Selector>>[] = [
  {
    name: "has as picksAhead a boolean, or nothing",
    async check(make) {
      const selector = await make();
      const { choose } = chooser(selector);
      checkPicksAhead(selector, "before the first pick");
      for (let count = 0; count < 5; count++) {
        choose(candidates(endpoints(count)));
        checkPicksAhead(selector, `after it was given ${count} candidates`);
      }
    },
  },
  {
    name: "picks the same before its clients have come as when each has, if it picks ahead",
    async check(make) {
      const asked = await picksOf(make, false);
      // A selector that depends on more than its candidates, Math.random and the time has nothing to compare.
      if (firstDifference(asked, await picksOf(make, false)) !== undefined) return;
      const ahead = await picksOf(make, true);
      const call = firstDifference(asked, ahead);
      if (call !== undefined)
        throw violation(
          "A pick ahead depends only on which endpoints are candidates, and on earlier picks.",
          `at call ${call + 1}, it picked ${ahead[call]} before the client had come, and ${asked[call]} for one that had`,
        );
    },
  },
];

function checkPicksAhead(selector: Selector, when: string): void {
  const picksAhead: unknown = Reflect.get(selector, "picksAhead");
  if (picksAhead !== undefined && typeof picksAhead !== "boolean")
    throw violation("picksAhead is true, false or undefined.", `${when}, it was ${inspect(picksAhead)}`);
}

/**
 * What a new selector picks while endpoints come and go, clients come and leave, time passes and facts change.
 *
 * @param isAhead whether picks are made at once for all clients of a round, as far as the selector permits it; otherwise
 *   each is made when its client comes, and `picksAhead` is not read
 */
async function picksOf(make: () => Promise<Selector>, isAhead: boolean): Promise<readonly string[]> {
  const [random, sets] = [seededRandom(2384), seededRandom(2385)];
  const selector = await withTimeAndChance(0, random, make);
  const { choose } = chooser(selector);
  const picks: string[] = [];
  /** The client at whose arrival the next pick is made. */
  let client = 0;
  for (let round = 0; round < rounds; round++) {
    const up = new Set(endpoints(6).filter((_, index) => sets() < 0.7 || index === round % 6));
    client = picks.length;
    while (picks.length < (round + 1) * picksInRound) {
      if (!isAhead || !selector.picksAhead) client = picks.length;
      const offered = candidatesAt(client, picks).filter(({ endpoint }) =>
        [...up].some(({ host }) => host === endpoint.host),
      );
      const picked = withTimeAndChance(client * intervalMs, random, () =>
        choose(offered, isAhead ? "asked ahead" : ""),
      );
      picks.push(picked ? formatAddress(picked.endpoint) : "none");
    }
  }
  return picks;
}

/** The candidates as they are when `client` comes, after `picks` for those before. */
function candidatesAt(client: number, picks: readonly string[]): Candidate[] {
  const open = picks.slice(Math.max(0, client - openAtOnce), client);
  return endpoints(6).map((endpoint, index) => ({
    endpoint,
    connections: open.filter(address => address === formatAddress(endpoint)).length,
    upMs: (client + index) * intervalMs,
    latencyMs: 1 + ((client * 5 + index * 7) % 11),
    isLeader: client % 6 === index,
    version: `3.5.${client}`,
  }));
}

/** What `action` returns, for which the time is `nowMs` and chance is `random` while it runs synchronously. */
function withTimeAndChance<Result>(nowMs: number, random: () => number, action: () => Result): Result {
  const restore = [
    replace(Math, "random", random),
    replace(Date, "now", () => Date.UTC(2030) + nowMs),
    replace(performance, "now", () => nowMs),
  ];
  try {
    return action();
  } finally {
    for (const one of restore) one();
  }
}

function replace(object: object, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(object, name);
  Object.defineProperty(object, name, { value, writable: true, configurable: true });
  return () => {
    if (before) Object.defineProperty(object, name, before);
    else Reflect.deleteProperty(object, name);
  };
}

function firstDifference(one: readonly string[], other: readonly string[]): number | undefined {
  const index = one.findIndex((host, call) => host !== other[call]);
  return index < 0 ? undefined : index;
}
