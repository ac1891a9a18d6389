import { describe, expect, test } from "vitest";
import { relay } from "../../test/relays.js";
import type { RelayComplianceOptions } from "./options.js";
import { relayCompliance } from "./relay-compliance.js";

describe("the reference relay", () => {
  // The reference relay is slow.
  const sizes = { bulkBytes: 64 * 1024 * 1024, connections: 500, idleConnections: 500, turnover: 1_000 };
  for (const { name, run } of relayCompliance(() => relay(), sizes)) test(name, run);
});

test("every case has a unique name, and runs without its object or arguments", () => {
  const cases = relayCompliance(() => relay());
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  for (const { run } of cases) expect(run.length).toBe(0);
});

test("a factory that throws fails its case with what it threw", async () => {
  const [one] = relayCompliance(() => {
    throw new Error("no such option");
  });
  await expect(one?.run()).rejects.toThrow("no such option");
});

test("a relay from an async factory passes as well", async () => {
  const [one] = relayCompliance(async () => relay());
  await one?.run();
});

test("a case that fails leaves nothing open", async () => {
  const open = (): number => process.getActiveResourcesInfo().filter(name => /TCP|Message/.test(name)).length;
  const before = open();
  const cases = relayCompliance(() => relay("ends after a failed dial"), { limitMs: 500 });
  const failing = cases.filter(({ name }) => /^reports that a dial/.test(name));
  expect(failing.length).toBe(3);
  for (const { run } of failing) await expect(run()).rejects.toThrow("ended()");
  await expect.poll(open).toBe(before);
});

test("a relay that does not report clients that wait may say so", () => {
  const names = (options: RelayComplianceOptions): string[] =>
    relayCompliance(() => relay(), options)
      .map(({ name }) => name)
      .filter(name => name.startsWith("reports a client that waits"));
  expect(names({ reportsStalls: false })).toEqual([]);
  expect(names({}).length).toBe(1);
});
