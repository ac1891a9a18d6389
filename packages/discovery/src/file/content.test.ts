import { formatAddress, GatewayError } from "@gw/interface";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { parseContent } from "./content.js";
import { maxBytes } from "./read.js";

function read(text: string): string {
  const written = parseContent(text, "f").map(
    ({ priority, weight, secure, ...address }) =>
      `${formatAddress(address)} ${priority} ${weight}${secure === undefined ? "" : ` ${secure}`}`,
  );
  return written.join(", ");
}

/** The error of parseContent for `text`. */
function complaintAbout(text: string): string {
  try {
    return `accepted as ${read(text)}`;
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== "invalid-endpoint") throw error;
    return error.detail;
  }
}

test.each([
  ["- a:1\n- b\n", "a:1 0 0, b:2379 0 0"],
  ["# members\n- https://a # the first\n\n- '[::1]:1'\r\n", "a:2379 0 0 true, [::1]:1 0 0"],
  ["endpoints:\n  - endpoint: a\n    priority: 1\n    weight: 2\n  - b\n", "a:2379 1 2, b:2379 0 0"],
  ['[\n\t"a",\n\t{"endpoint": "b",\n\t\t"weight": 3}\n]\n', "a:2379 0 0, b:2379 0 3"],
  ['{"$schema": "./endpoints.schema.json", "endpoints": ["http://a:1/x"]}', "a:1 0 0 false"],
])("parses %j", (text, endpoints) => {
  expect(read(text)).toBe(endpoints);
});

const endpoint = fc.record(
  {
    endpoint: fc.stringMatching(/^[a-z][a-z0-9]{0,8}(\.[a-z]{2,5})?:[1-9][0-9]{0,3}$/),
    priority: fc.integer({ min: 0, max: 65_535 }),
    weight: fc.integer({ min: 0, max: 65_535 }),
  },
  { requiredKeys: ["endpoint"], noNullPrototype: true },
);
const list = fc.uniqueArray(endpoint, { minLength: 1, maxLength: 8, selector: one => one.endpoint });

test("parses any list equally, as JSON and as YAML, in all styles", () => {
  fc.assert(
    fc.property(list, fc.boolean(), fc.constantFrom(0, 2, "\t"), fc.boolean(), (list, bare, indent, flow) => {
      const items = list.map(one => (Object.keys(one).length === 1 && bare ? one.endpoint : one));
      const expected = list.map(
        ({ endpoint, priority = 0, weight = 0 }) => `${endpoint} ${priority} ${weight}`,
      );
      for (const content of [items, { endpoints: items }]) {
        expect(read(JSON.stringify(content, null, indent))).toBe(expected.join(", "));
        expect(read(stringify(content, { collectionStyle: flow ? "flow" : "block" }))).toBe(
          expected.join(", "),
        );
      }
    }),
    { seed: 1, numRuns: 200 },
  );
});

test("rejects everything else with one line that has the position", () => {
  const pieces =
    "[|]|{|}|- |a|:|: |\n|  |\t|,|'|\"|#|&x|*x|!t|?|---\n|%|endpoint: |endpoints:\n|weight: |1".split("|");
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fc.constantFrom(...pieces), { maxLength: 30 }).map(parts => parts.join("")),
  );
  fc.assert(
    fc.property(text, text => {
      expect(complaintAbout(text)).toMatch(/^accepted as .|^f:[1-9]\d*:[1-9]\d*: .+$/);
    }),
    { seed: 2, numRuns: 3_000 },
  );
});

const notAnEndpoint = 'this is not an endpoint, "host:port" or { "endpoint": "host:port" }';
const notAList = 'this is not a list of endpoints, nor an object { "endpoints": [...] }';

test.each([
  ["", "1:1: there are no endpoints in it"],
  ["# none yet\n", "1:1: there are no endpoints in it"],
  ["[]", "1:1: this has no endpoint in it"],
  ["endpoints: []\n", "1:1: endpoints has no endpoint in it"],
  ["a:1\n", `1:1: ${notAList}`],
  ["endpoints: a\n", "1:1: endpoints is not a list"],
  ["other: 1\n", "1:1: endpoints is missing"],
  ["endpoints: [a]\n\nextra: 1\n", '3:1: "extra" is not a known key'],
  ["- a\n- 3\n", `2:3: ${notAnEndpoint}`],
  ["- a\n-\n", `2:2: ${notAnEndpoint}`],
  ["- [::1]\n", `1:3: ${notAnEndpoint}`],
  ["- ''\n", "1:3: this is empty"],
  ["- priority: 1\n", "1:3: endpoint is missing"],
  ["- endpoint: [a]\n", "1:3: endpoint is not text"],
  ["- endpoint: a\n  wieght: 1\n", '2:3: "wieght" is not a known key'],
  ["- endpoint: a\n  weight: 65536\n", "2:3: weight is not a whole number from 0 to 65535"],
  ["- endpoint: a\n  priority: 1.5\n", "2:3: priority is not a whole number from 0 to 65535"],
  ["- endpoint: a\n  priority: high\n", "2:3: priority is not a whole number from 0 to 65535"],
  ["- a\n- b:99999\n", '2:3: endpoint "b:99999": port "99999" is not a number from 1 to 65535'],
  ["- a\n- b\n- A:2379\n", "3:3: a:2379 is already on line 1"],
  ["- [::1]:1\n", '1:8: unexpected text after a value; an IPv6 endpoint needs quotes: "[::1]:2379"'],
  ["- a\n---\n- b\n", "2:1: there is more than one YAML document in it"],
  ["- endpoint: a\n  weight: &w 1\n- endpoint: b\n  weight: *w\n", "4:11: aliases are not supported"],
  ["- !ours a\n", "1:3: Unresolved tag: !ours"],
  ["endpoints: [a]\nendpoints: [b]\n", "2:1: Map keys must be unique"],
  ['["a"', "1:5: Flow sequence must end with a ]"],
])("reports what is wrong with %j", (text, complaint) => {
  expect(complaintAbout(text)).toBe(`f:${complaint}`);
});

describe("is fast, and reports the mistake, for", () => {
  const nested = Array.from({ length: 300 }, (_, depth) => `${" ".repeat(depth)}-\n`).join("");
  const keys = Array.from({ length: 8_000 }, (_, index) => `k${index}: 1\n`).join("");
  test.each([
    "[",
    "{a: ",
    "- ",
    "? ",
    ": ",
    "&a ",
    "!a ",
    "*a ",
    "[]",
    "]",
    "}{",
    "- @\n",
    "- *a\n",
    "\n",
    "#\n",
    "'",
  ])("a file full of %j", piece => {
    const text = piece.repeat(Math.ceil(maxBytes / piece.length));
    expect(complaintAbout(text)).toMatch(/^f:\d+:\d+: .+$/);
  });
  test.each([
    ["deep nesting", nested],
    ["thousands of keys", keys],
  ])("%s", (_, text) => {
    expect(complaintAbout(text)).toMatch(/^f:\d+:\d+: .+$/);
  });
});

test("thousands of endpoints are parsed", () => {
  const names = Array.from({ length: 4_000 }, (_, index) => `- a${index}`);
  expect(parseContent(names.join("\n"), "f").length).toBe(4_000);
});
