import { readFileSync } from "node:fs";
import { GatewayError, withEndCause } from "@gw/interface";
import { expect, test } from "vitest";
import { tablesOf } from "../../test/markdown.js";
import { endOf, endOfUnserved, ends } from "./ends.js";
import { type AccessRecord, recordFields, recordFormat } from "./record.js";

const record: AccessRecord = {
  atMs: Date.parse("2026-11-29T10:00:00.123Z"),
  connection: 7,
  client: { host: "10.0.2.5", port: 40312 },
  listener: "127.0.0.1:23790",
  endpoint: { host: "10.0.1.10", port: 2379, priority: 0, weight: 0 },
  tries: 1,
  dialMs: 0.44,
  durationMs: 1204.87,
  bytesFromClient: 841,
  bytesFromBackend: 2210,
  end: "finished",
  reason: undefined,
};

const tables = tablesOf("docs/access-log.md");

function column(title: string): string[] {
  const rows = tables.filter(([heading]) => heading?.[0] === title).flatMap(table => table.slice(1));
  return rows.map(([name = ""]) => name.replaceAll("`", ""));
}

test("docs/access-log.md has each field, each word, and lines as they are written", () => {
  expect(column("field")).toEqual([...recordFields]);
  expect(column("end")).toEqual([...ends]);
  const page = readFileSync(new URL("../../../../docs/access-log.md", import.meta.url), "utf8");
  expect(page).toContain(recordFormat("json")(record));
  expect(page).toContain(recordFormat("text")(record));
});

test("a record has the documented fields in their order", () => {
  const line = recordFormat("json")({ ...record, reason: 'it "failed"\n' });
  expect(JSON.parse(line)).toMatchObject({ end: "finished", dialMs: 0.4, reason: 'it "failed"\n' });
  expect(Object.keys(JSON.parse(line))).toEqual(recordFields.map(name => name.replace("?", "")));
});

test("a record of a client that was refused has no field without a value", () => {
  const refused = { ...record, connection: undefined, client: undefined, listener: undefined };
  const line = recordFormat("json")({ ...refused, endpoint: undefined, dialMs: undefined, end: "refused" });
  expect(Object.keys(JSON.parse(line))).toEqual([
    ...["time", "tries", "durationMs", "bytesFromClient", "bytesFromBackend", "end"],
  ]);
});

test("texts from the network stay on one line, and short", () => {
  for (const format of ["json", "text"] as const) {
    const reason = `\u001b[2J\n\u202e${"x".repeat(5_000)}`;
    const client = { host: '::1%eth"0\n', port: 1 };
    const line = recordFormat(format)({ ...record, client, reason });
    expect(line.length).toBeLessThan(1_000);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
    expect(line.slice(0, -1)).not.toMatch(/[\0-\x1f\x7f-\x9f\u202e]/);
    if (format === "json") expect(JSON.parse(line).client).toBe('[::1%eth"0\n]:1');
  }
});

const reset = new GatewayError("reset", "connection reset");
const lost = new GatewayError("timed-out", "timed out");
const own = new GatewayError("aborted", "moved");

test.each([
  ["finished", "finished", undefined],
  ["client-failed", "client-reset", undefined],
  ["client-failed", "client-reset", reset],
  ["client-failed", "client-lost", lost],
  ["backend-failed", "endpoint-reset", reset],
  ["backend-failed", "endpoint-lost", lost],
  ["timed-out", "idle-timeout", withEndCause(lost, "idle-timeout")],
  ["timed-out", "half-close-timeout", withEndCause(lost, "half-close-timeout")],
  ["timed-out", "write-timeout", withEndCause(lost, "write-timeout")],
  ["aborted", "removed", withEndCause(own, "removed")],
  ["aborted", "rejected", withEndCause(new GatewayError("wrong-cluster", "other"), "rejected")],
  ["aborted", "unhealthy", withEndCause(new GatewayError("timed-out", "no answer"), "unhealthy")],
  ["aborted", "too-old", withEndCause(own, "too-old")],
  ["aborted", "rebalanced", withEndCause(own, "rebalanced")],
  ["aborted", "killed", withEndCause(own, "killed")],
  ["aborted", "loop", new GatewayError("self-loop", "it is this gateway")],
  ["aborted", "local-error", new GatewayError("out-of-resources", "out of memory")],
  ["aborted", "shutdown", undefined],
  ["closed", "client-left", undefined],
] as const)("a connection that was relayed and is %s has ended as %s", (reason, end, error) => {
  expect(endOf({ reason, ...(error && { error }) })).toBe(end);
});

test.each([
  ["closed", 0, new GatewayError("unreachable", "no endpoints"), "no-endpoint"],
  ["closed", 2, new GatewayError("refused", "connection refused"), "dial-failed"],
  ["closed", 1, new GatewayError("out-of-resources", "out of descriptors"), "local-error"],
  ["client-failed", 1, new GatewayError("refused", "connection refused"), "client-left"],
  ["finished", 0, reset, "client-left"],
  ["aborted", 0, own, "shutdown"],
  ["aborted", 0, withEndCause(own, "killed"), "killed"],
  ["aborted", 0, new GatewayError("out-of-resources", "out of memory"), "local-error"],
] as const)("a client that is %s after %d tries with %s has ended as %s", (reason, tries, error, end) => {
  expect(endOfUnserved({ reason, tries, error })).toBe(end);
});
