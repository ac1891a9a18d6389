import { readFile } from "node:fs/promises";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { sampleStatus } from "../../test/sample.js";
import { type Schema, statusSchema } from "./schema.js";

// A format says more than a type, and is only a note without another library.
const ajv = new Ajv2020({ strict: true, allErrors: true, validateFormats: false });

test("a status validates, with and without what is optional", () => {
  const validate = ajv.compile(statusSchema);
  const { panic: _, lastFailover: __, inUse: ___, ...least } = sampleStatus();
  for (const status of [sampleStatus(), least]) {
    validate(JSON.parse(JSON.stringify(status)));
    expect(validate.errors).toBeNull();
  }
  expect(validate({ ...sampleStatus(), ready: "yes" })).toBe(false);
});

test("the schema has exactly the properties of the TypeScript types", async () => {
  const source = await readFile(new URL("../contract/status.ts", import.meta.url), "utf8");
  const interfaces = [...source.matchAll(/^export interface (\w+) \{\n([\s\S]*?)^\}/gm)];
  const definitions = { ...(statusSchema["$defs"] as { [name: string]: Schema }), Status: statusSchema };
  expect(interfaces.map(([, name]) => name).sort()).toEqual(Object.keys(definitions).sort());
  for (const [, name = "", body = ""] of interfaces) {
    const fields = [...body.matchAll(/^ {2}readonly (\w+)(\??):/gm)];
    const definition = definitions[name as keyof typeof definitions];
    expect([name, ...Object.keys(definition?.["properties"] as object).sort()]).toEqual([
      name,
      ...fields.map(([, field]) => field).sort(),
    ]);
    const required = definition?.["required"] as readonly string[];
    expect([name, ...required.toSorted()]).toEqual([
      name,
      ...fields.flatMap(([, field, optional]) => (optional ? [] : [field])).sort(),
    ]);
  }
});

/** `npx vitest run --project admin schema --update` writes the file. */
test("the file of the schema is the schema", async () => {
  await expect(`${JSON.stringify(statusSchema, null, 2)}\n`).toMatchFileSnapshot(
    "../../schema/status.schema.json",
  );
});
