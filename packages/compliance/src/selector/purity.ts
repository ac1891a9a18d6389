import { isDeepStrictEqual } from "node:util";
import type { Candidate, Endpoint, Selector } from "@gw/interface";
import { type Case, violation } from "../suite.js";
import { seededRandom, shuffled } from "../test-support/random.js";
import { candidates, endpoints, notableSets } from "./candidates.js";
import { type Chooser, chooser } from "./chooser.js";

const unchanged = "A selector changes neither the array, nor the candidates, nor their endpoints.";
/** Its methods. */
const methods = ["choose", "aim"] as const;

/** What a selector must leave unchanged. */
export const purityCases: readonly Case<() => Promise<Selector>>[] = [
  {
    name: "changes neither the array, nor the candidates, nor their endpoints",
    async check(make) {
      const selector = await make();
      for (const [name, set] of inManyOrders())
        for (const method of methods) {
          compareAfterwards(chooser(selector)[method], candidates(set), name);
          recordWrites(chooser(selector)[method], candidates(set), name);
        }
    },
  },
  {
    name: "picks from frozen arrays of frozen candidates",
    async check(make) {
      const asked = chooser(await make());
      for (const method of methods) {
        for (const [name, set] of inManyOrders())
          asked[method](Object.freeze(candidates(set).map(deeplyFrozen)), `${name}, frozen`);
        asked[method](Object.freeze([]), "a frozen empty array");
      }
    },
  },
  {
    name: "leaves built-in objects such as Array.prototype and Math.random as they are",
    // selectorCompliance checks them after every case.
    async check(make) {
      const asked = chooser(await make());
      for (const method of methods) {
        asked[method]([]);
        for (let call = 0; call < 100; call++) asked[method](candidates(endpoints(1 + (call % 5))));
      }
    },
  },
];

/** An array that is sorted already would not show that a selector sorts it. */
function inManyOrders(): readonly (readonly [name: string, set: readonly Endpoint[]])[] {
  const random = seededRandom(2380);
  return [1, 2, 3, 4].flatMap(() =>
    Object.entries(notableSets).map(([name, set]) => [name, shuffled(set, random)] as const),
  );
}

/** Finds changes that are still there afterwards. */
function compareAfterwards(ask: Chooser["choose"], offered: Candidate[], occasion: string): void {
  const members = [...offered];
  const values = structuredClone(offered);
  ask(offered, occasion);
  const moved = offered.length !== members.length || offered.some((one, index) => one !== members[index]);
  if (moved) throw violation(unchanged, `${occasion}: the array holds something else, or in another order`);
  if (!isDeepStrictEqual(offered, values))
    throw violation(unchanged, `${occasion}: ${JSON.stringify(values)} became ${JSON.stringify(offered)}`);
}

/** Finds changes when they are made, even if the selector undoes them. */
function recordWrites(ask: Chooser["choose"], offered: readonly Candidate[], occasion: string): void {
  const changes = new Set<string>();
  const watched = offered.map(({ endpoint, connections }) =>
    recordingProxy(
      { endpoint: recordingProxy(endpoint, "an endpoint", changes), connections },
      "a candidate",
      changes,
    ),
  );
  ask(recordingProxy(watched, "the array", changes), occasion);
  if (changes.size > 0) throw violation(unchanged, `${occasion}: it ${[...changes].join(", ")}`);
}

function recordingProxy<Thing extends object>(thing: Thing, name: string, changes: Set<string>): Thing {
  return new Proxy(thing, {
    defineProperty(target, key, descriptor) {
      changes.add(`wrote ${String(key)} of ${name}`);
      return Reflect.defineProperty(target, key, descriptor);
    },
    deleteProperty(target, key) {
      changes.add(`deleted ${String(key)} of ${name}`);
      return Reflect.deleteProperty(target, key);
    },
    setPrototypeOf(target, prototype) {
      changes.add(`replaced the prototype of ${name}`);
      return Reflect.setPrototypeOf(target, prototype);
    },
    preventExtensions(target) {
      changes.add(`froze ${name}`);
      return Reflect.preventExtensions(target);
    },
  });
}

function deeplyFrozen(candidate: Candidate): Candidate {
  Object.freeze(candidate.endpoint);
  return Object.freeze(candidate);
}
