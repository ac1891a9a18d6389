import { isDeepStrictEqual } from "node:util";
import type { Candidate, Endpoint, Selector } from "@gw/interface";
import { type Case, violation } from "../suite.js";
import { seededRandom, shuffled } from "../test-support/random.js";
import { candidates, endpoints, notableSets } from "./candidates.js";
import { chooser } from "./chooser.js";

const handsOff = "pick() changes neither the array, nor the candidates, nor their endpoints.";

/** What a selector must not do to what is not its own. */
export const purityCases: readonly Case<() => Promise<Selector>>[] = [
  {
    name: "changes neither the array, nor the candidates, nor their endpoints",
    async check(make) {
      const selector = await make();
      for (const [name, set] of inManyOrders()) {
        comparing(selector, candidates(set), name);
        watching(selector, candidates(set), name);
      }
    },
  },
  {
    name: "picks from frozen arrays of frozen candidates",
    async check(make) {
      const { choose } = chooser(await make());
      for (const [name, set] of inManyOrders())
        choose(Object.freeze(candidates(set).map(deeplyFrozen)), `${name}, frozen`);
      choose(Object.freeze([]), "a frozen empty array");
    },
  },
  {
    name: "leaves built-in objects such as Array.prototype and Math.random as they are",
    // That they are untouched is looked at after every case.
    async check(make) {
      const { choose } = chooser(await make());
      choose([]);
      for (let call = 0; call < 100; call++) choose(candidates(endpoints(1 + (call % 5))));
    },
  },
];

/** An array that happens to be sorted does not show that it was sorted. */
function inManyOrders(): readonly (readonly [name: string, set: readonly Endpoint[]])[] {
  const random = seededRandom(2380);
  return [1, 2, 3, 4].flatMap(() =>
    Object.entries(notableSets).map(([name, set]) => [name, shuffled(set, random)] as const),
  );
}

/** Changes are seen by what is there afterwards. */
function comparing(selector: Selector, offered: Candidate[], occasion: string): void {
  const members = [...offered];
  const values = structuredClone(offered);
  chooser(selector).choose(offered, occasion);
  const moved = offered.length !== members.length || offered.some((one, index) => one !== members[index]);
  if (moved) throw violation(handsOff, `${occasion}: the array holds something else, or in another order`);
  if (!isDeepStrictEqual(offered, values))
    throw violation(handsOff, `${occasion}: ${JSON.stringify(values)} became ${JSON.stringify(offered)}`);
}

/** Changes are seen when they are made, also if they are undone before the selector returns. */
function watching(selector: Selector, offered: readonly Candidate[], occasion: string): void {
  const changes = new Set<string>();
  const watched = offered.map(({ endpoint, connections }) =>
    watch({ endpoint: watch(endpoint, "an endpoint", changes), connections }, "a candidate", changes),
  );
  chooser(selector).choose(watch(watched, "the array", changes), occasion);
  if (changes.size > 0) throw violation(handsOff, `${occasion}: it ${[...changes].join(", ")}`);
}

function watch<Thing extends object>(thing: Thing, name: string, changes: Set<string>): Thing {
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
