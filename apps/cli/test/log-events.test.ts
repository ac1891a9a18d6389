// The log's events are public: the page on them and the code have the same.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type LogEvent, logEvents } from "../src/log/events.js";
import { tablesOf } from "./markdown.js";
import { root } from "./packed.js";

const tables = tablesOf("docs/log-events.md");
const events = Object.entries<LogEvent>(logEvents);

/** The names between backticks, each with the `?` behind it. */
function namesIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`(\??)/g)].map(([, name, optional]) => `${name}${optional}`);
}

test("docs/log-events.md has each event with its levels, limit and fields", () => {
  const rows = tables.filter(([heading]) => heading?.[0] === "event").flatMap(table => table.slice(1));
  const documented = rows.map(([name = "", levels = "", limit = "", fields = "", when]) => {
    expect(when, name).not.toBe("");
    return [name.replaceAll("`", ""), levels.split(", "), limit, namesIn(fields)];
  });
  expect(documented).toEqual(
    events.map(([name, { levels, limit, fields }]) => {
      const per = limit?.per ? ` per \`${limit.per}\`` : "";
      return [name, levels, limit ? `${limit.times}${per}` : "", fields];
    }),
  );
});

test("docs/log-events.md explains each field", () => {
  const rows = tables.filter(([heading]) => heading?.[0] === "field").flatMap(table => table.slice(1));
  const used = events.flatMap(([, { fields }]) => fields.map(field => field.replace("?", "")));
  expect(rows.flatMap(([names = ""]) => namesIn(names)).sort()).toEqual(
    [...new Set([...used, "suppressed"])].sort(),
  );
});

test("each event is written somewhere", () => {
  const folder = join(root, "apps/cli/src");
  const sources = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter(file => /(?<!\.test)\.ts$/.test(file) && !file.endsWith(join("log", "events.ts")))
    .map(file => readFileSync(join(folder, file), "utf8"))
    .join("\n");
  for (const [name] of events) expect(sources, name).toContain(`"${name}"`);
});
