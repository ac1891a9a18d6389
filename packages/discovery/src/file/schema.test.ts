import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { endpointsSchema, jsonSchema } from "./schema.js";

const path = fileURLToPath(new URL("../../schema/endpoints.schema.json", import.meta.url));

/** Formatted as by Biome: a list of plain values on one line. */
function formatted(schema: object): string {
  const text = JSON.stringify(schema, null, 2);
  return `${text.replace(/\[\s+("[^[\]{}]+")\s+\]/g, (_, items) => `[${items.replace(/,\s+/g, ", ")}]`)}\n`;
}

// `npm test -- packages/discovery/src/file/schema.test.ts -u` writes the file again.
test("the published schema is the one in the code", async () => {
  await expect(formatted(jsonSchema())).toMatchFileSnapshot(path);
  expect(createRequire(import.meta.url).resolve("@gw/discovery/endpoints.schema.json")).toBe(path);
});

describe("the published schema and the code agree on", () => {
  const good = [
    ["a:1"],
    [{ endpoint: "a:1", priority: 0, weight: 65_535 }, "b"],
    { endpoints: ["a"] },
    { $schema: "./endpoints.schema.json", endpoints: [{ endpoint: "a" }] },
  ];
  const bad = [
    null,
    "a:1",
    [],
    [""],
    [1],
    [null],
    [[]],
    [{}],
    {},
    { endpoints: [] },
    { endpoints: "a" },
    { endpoints: ["a"], extra: 1 },
    [{ endpoint: "a", port: 1 }],
    [{ endpoint: "a", priority: -1 }],
    [{ endpoint: "a", priority: 65_536 }],
    [{ endpoint: "a", weight: 1.5 }],
    [{ endpoint: "a", weight: "1" }],
    [{ endpoint: "a", weight: null }],
  ];
  test.each([
    ...good.map(value => ({ text: JSON.stringify(value), value, accepted: true })),
    ...bad.map(value => ({ text: JSON.stringify(value), value, accepted: false })),
  ])("$text", async ({ value, accepted }) => {
    const validate = new Ajv2020({ strict: true }).compile(JSON.parse(await readFile(path, "utf8")));
    expect(validate(value), JSON.stringify(validate.errors)).toBe(accepted);
    expect(endpointsSchema.safeParse(value).success).toBe(accepted);
  });

  test("its own examples", async () => {
    const schema = JSON.parse(await readFile(path, "utf8"));
    const validate = new Ajv2020({ strict: true }).compile(schema);
    expect(schema.examples.length).toBeGreaterThan(0);
    for (const example of schema.examples) expect(validate(example)).toBe(true);
  });
});
