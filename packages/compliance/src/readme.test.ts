import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { failuresOf } from "../test/failures.js";
import { selector } from "../test/selectors.js";
import { defaultLimitMs } from "./discovery/discovery-compliance.js";
import { relayComplianceDefaults } from "./relay/options.js";
import { relayStressDefaults } from "./relay/stress.js";
import { selectorCompliance } from "./selector/selector-compliance.js";

const folder = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(`${folder}/README.md`, "utf8");
const [example = ""] = /(?<=```js\n)import .*?(?=```)/s.exec(readme) ?? [];

test("the README's example is a whole test of at most 13 lines", () => {
  expect(example.trim().split("\n").filter(Boolean).length).toBeLessThanOrEqual(13);
});

test("the README's example passes under node:test", async () => {
  const args = ["--test-reporter=tap", "--input-type=module", "--eval", example];
  // A test run inside of another's process tree would report to that.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder, env });
  const { length } = selectorCompliance(() => selector(([one]) => one));
  expect(stdout).toContain(`# pass ${length}\n`);
  expect(stdout).toContain("# fail 0\n");
});

test("the README's message is that for a selector that returns copies", async () => {
  const failures = await failuresOf(selectorCompliance(() => selector(([one]) => one && { ...one })));
  const [, message = ""] = /```\n(pick\(\).*?)\n```/s.exec(readme) ?? [];
  expect([...failures.values()]).toContain(message);
});

test("the README's options of relays and their defaults are those of the code", () => {
  const rows = [...readme.matchAll(/^\| `(\w+)` \|.*\| (\d+) \|$/gm)];
  expect(Object.fromEntries(rows.map(([, name, size]) => [name, Number(size)]))).toEqual(
    relayComplianceDefaults,
  );
  const { connections, seconds } = relayStressDefaults;
  expect(readme).toContain(`\`connections\` (${connections}) at once`);
  expect(readme).toContain(`\`seconds\` (${seconds})`);
});

test("the README's limit is the default", () => {
  expect(readme).toContain(`\`limitMs\` (${defaultLimitMs / 1000} s by default)`);
});
