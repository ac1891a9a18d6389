import type { Candidate, Selector } from "@gw/interface";
import { expect, test } from "vitest";
import { failuresOf } from "../../test/failures.js";
import { firstAfter, selector, testThatAreCaught } from "../../test/selectors.js";
import { selectorCompliance } from "./selector-compliance.js";

const unchanged = "changes neither the array, nor the candidates, nor their endpoints";
const builtIns = "leaves built-in objects such as Array.prototype and Math.random as they are";

testThatAreCaught({
  "sorts the array": {
    make: () => firstAfter(candidates => candidates.sort((a, b) => a.endpoint.weight - b.endpoint.weight)),
    fails: unchanged,
    message: /the array holds something else, or in another order/,
  },
  "removes from the array": {
    make: () => selector(candidates => (candidates as Candidate[]).shift()),
    fails: unchanged,
    message: /the array holds something else/,
  },
  "changes the array and undoes it": {
    make: () => firstAfter(candidates => candidates.reverse().reverse()),
    fails: unchanged,
    message: /wrote 0 of the array/,
  },
  "freezes the array": {
    make: () => firstAfter(candidates => Object.freeze(candidates)),
    fails: unchanged,
    message: /froze the array/,
  },
  "writes into candidates": {
    make: () => firstAfter(([one]) => one && Object.assign(one, { score: 1 })),
    fails: unchanged,
    message: /became .*"score":1/,
  },
  "counts connections by itself": {
    make: () => firstAfter(([one]) => one && Object.assign(one, { connections: one.connections + 1 })),
    fails: unchanged,
    message: /"connections":0.* became .*"connections":1/,
  },
  "writes into endpoints": {
    make: () => firstAfter(([one]) => one && Object.assign(one.endpoint, { host: "203.0.113.1" })),
    fails: unchanged,
    message: /became .*203\.0\.113\.1/,
  },
  "deletes from endpoints": {
    make: () => firstAfter(([one]) => one && Reflect.deleteProperty(one.endpoint, "weight")),
    fails: unchanged,
    message: /"weight":0.* became /,
  },
  "replaces prototypes": {
    make: () => firstAfter(([one]) => one && Object.setPrototypeOf(one, null)),
    fails: unchanged,
    message: /replaced the prototype of a candidate|became/,
  },
  "needs to write into candidates": {
    make: () => firstAfter(([one]) => one && Object.assign(one, { score: 1 })),
    fails: "picks from frozen arrays of frozen candidates",
    message: /frozen, .*it threw TypeError/,
  },
  "adds to Array.prototype": {
    make: () => firstAfter(() => Object.assign(Array.prototype, { last: 1 })),
    fails: builtIns,
    message: /built-in objects.*Array\.prototype\.last/s,
  },
  "adds a symbol to Object.prototype": {
    make: () => firstAfter(() => Object.assign(Object.prototype, { [Symbol.for("gw")]: 1 })),
    fails: builtIns,
    message: /Object\.prototype\.Symbol\(gw\)/,
  },
  "replaces Math.random": {
    make: () => firstAfter(() => Object.assign(Math, { random: () => 0.5 })),
    fails: builtIns,
    message: /Math\.random/,
  },
});

test("restores the built-in objects that a selector has changed", async () => {
  const { random } = Math;
  const poison = (): Selector =>
    firstAfter(() => {
      Object.assign(Math, { random: () => 0.5 });
      Object.assign(Array.prototype, { last: 1 });
    });
  await failuresOf(selectorCompliance(poison));
  expect(Math.random).toBe(random);
  expect("last" in Array.prototype).toBe(false);
});
