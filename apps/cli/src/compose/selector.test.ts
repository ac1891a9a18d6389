import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { rejectRebalance } from "../flags/contradictions.js";
import { loadSelector, parseSelector } from "./selector.js";

test.each([
  ["random", "random", {}],
  ["two-choices:choices=3", "two-choices", { choices: "3" }],
  ["@acme/selector:zone=a,weights=1=2", "@acme/selector", { zone: "a", weights: "1=2" }],
  ["near:url=http://a:80/x", "near", { url: "http://a:80/x" }],
  ["near:empty=", "near", { empty: "" }],
  ["./a:b.js", "./a:b.js", {}],
  ["./a:b.js:k=v", "./a:b.js", { k: "v" }],
  ["C:\\policies\\mine.js", "C:\\policies\\mine.js", {}],
  ["C:\\policies\\mine.js:k=v", "C:\\policies\\mine.js", { k: "v" }],
  ["/opt/policy.js:__proto__=x", "/opt/policy.js:__proto__=x", {}],
])("%s", (text, name, options) => {
  expect(parseSelector(text)).toEqual({ name, options });
});

test.each([
  ["", "it is empty"],
  ["random:", 'what follows ":"'],
  ["random:x", 'what follows ":"'],
  ["random:=1", 'what follows ":"'],
  ["random:a=1,", 'what follows ":"'],
  ["random:a=1,a=2", 'the option "a" is given twice'],
])("%j is refused", (text, says) => {
  expect(() => parseSelector(text)).toThrow(says);
});

test.each([
  ["sticky-random", false],
  ["sticky-random:failback=5m", true],
  ["leader", true],
  ["leader:settle=0", true],
  ["nearest:tolerance=10%,min-tolerance=2ms,settle=30s", true],
  ["first", false],
  ["least-connections", true],
])("%s may be used with --rebalance: %s", async (text, mayRebalance) => {
  const policy = await loadSelector(text);
  const check = (): void => rejectRebalance({ rebalance: 0.1 }, policy);
  if (mayRebalance) expect(check).not.toThrow();
  else expect(check).toThrow(/--rebalance does nothing with --selector /);
});

/** The selector of a module that exports `make`. */
async function loadOwn(make: string): Promise<ReturnType<typeof loadSelector>> {
  const folder = await mkdtemp(join(tmpdir(), "gw-selector-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "own.mjs"), `export default ${make};`);
  return loadSelector("./own.mjs", folder);
}

test("a selector of one's own may have a target", async () => {
  const { selector } = await loadOwn(
    "() => ({ pick: ([one]) => one, target: ([one]) => one, targetRate: 0.1 })",
  );
  expect(selector.targetRate).toBe(0.1);
});

test.each([
  ["() => ({ pick() {}, target: 1 })", "its target is a value of type number, not a function"],
  ["() => ({ pick() {}, targetRate: 2 })", 'its targetRate "2" is not a number from 0 to 1'],
  ["() => ({ pick() {}, targetRate: '10%' })", 'its targetRate "10%" is not a number from 0 to 1'],
])("%s is refused", async (make, says) => {
  await expect(loadOwn(make)).rejects.toThrow(says);
});
