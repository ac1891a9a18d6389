import { describe, expect, test } from "vitest";
import { changing, fixed, follow, initial } from "../../test/discoveries.js";
import { type DiscoveryComplianceOptions, discoveryCompliance } from "./discovery-compliance.js";

const good: { readonly [what: string]: DiscoveryComplianceOptions } = {
  "follows its source": changing(follow),
  "yields its only set and ends": fixed(async function* (signal) {
    if (!signal.aborted) yield initial;
  }),
  "yields its only set even when it is aborted": fixed(async function* () {
    yield initial;
  }),
  "comes from an async factory": { make: async () => changing(follow).make(), endpoints: initial },
};

describe.each(Object.entries(good))("a discovery that %s", (_, options) => {
  for (const { name, run } of discoveryCompliance(options)) test(name, run);
});

test("has no case about changes where there are none", () => {
  const names = (options: DiscoveryComplianceOptions): readonly string[] =>
    discoveryCompliance(options).map(({ name }) => name);
  const { make } = changing(follow);
  const more = names(changing(follow)).filter(name => !names({ make }).includes(name));
  expect(more).toEqual([
    "yields the set again when it changed while next() was pending, and not before",
    "yields the set again when it changed while no next() was pending",
  ]);
});

test("every case has a unique name, and runs without its object or arguments", () => {
  const cases = discoveryCompliance(changing(follow));
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  for (const { run } of cases) expect(run.length).toBe(0);
});

test("aborts every watch when a case is over", async () => {
  const signals: AbortSignal[] = [];
  const options = changing((source, signal) => {
    signals.push(signal);
    return follow(source, signal);
  });
  for (const { run } of discoveryCompliance(options)) await run();
  expect(signals.length).toBeGreaterThan(10);
  expect(signals.filter(signal => !signal.aborted)).toEqual([]);
});

test("a factory that throws fails its case with what it threw", async () => {
  const make = (): never => {
    throw new Error("no such file");
  };
  const [one] = discoveryCompliance({ make });
  await expect(one?.run()).rejects.toThrow("no such file");
});
