import { type Endpoint, formatAddress, GatewayError, messageOf, quote } from "@gw/interface";
import { isMap, isNode, isScalar, isSeq, Lexer, parseDocument, visit, type YAMLError } from "yaml";
import type * as z from "zod";
import { parseEndpoint } from "../parse.js";
import { endpointsSchema } from "./schema.js";

/**
 * Parses a list of endpoints in YAML, which includes JSON. Aliases, custom tags and several documents are rejected.
 *
 * @param name names the text in errors
 * @throws {GatewayError} `invalid-endpoint`: `NAME:LINE:COLUMN: ` and what is wrong, in one line
 */
export function parseContent(text: string, name: string): readonly Endpoint[] {
  const fail = (offset: number, detail: string): never => {
    const before = text.slice(0, offset).split("\n");
    const column = (before.at(-1) ?? "").length + 1;
    throw new GatewayError("invalid-endpoint", `${name}:${before.length}:${column}: ${detail}`);
  };
  const contents = compose(text, fail);
  const { data, error } = endpointsSchema.safeParse(contents.value);
  const reject = ({ path, detail }: Mistake): never => fail(offsetOf(contents.node, path), detail);
  if (error) return reject(mistakeOf(error.issues, contents.value));

  const [items, base] = Array.isArray(data) ? [data, []] : [data.endpoints, ["endpoints"]];
  const first = new Map<string, number>();
  return items.map((item, index) => {
    const path = [...base, index, ...(typeof item === "string" ? [] : ["endpoint"])];
    const {
      endpoint: written,
      priority = 0,
      weight = 0,
    } = typeof item === "string" ? { endpoint: item } : item;
    const endpoint = { ...parse(written, detail => reject({ path, detail })), priority, weight };
    const address = formatAddress(endpoint);
    const before = first.get(address);
    if (before !== undefined)
      return reject({ path, detail: `${address} is already on line ${lineAt(text, before)}` });
    first.set(address, offsetOf(contents.node, path));
    return Object.freeze(endpoint);
  });
}

/** The text as YAML nodes, which have positions, and as plain values. */
function compose(
  text: string,
  fail: (offset: number, detail: string) => never,
): { readonly node: unknown; readonly value: unknown } {
  const deepOffset = tooDeepAt(text);
  if (deepOffset !== undefined) return fail(deepOffset, "is nested too deeply");
  const document = parseDocument(text, { prettyErrors: false, stringKeys: true });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault) return fail(fault.pos[0], describe(fault));
  visit(document, { Alias: (_, { range }) => fail(range?.[0] ?? 0, "aliases are not supported") });
  return { node: document.contents, value: document.toJS() as unknown };
}

/** Replaces messages of `yaml` that do not help to find the mistake. */
function describe({ code, message }: YAMLError): string {
  if (code === "MULTIPLE_DOCS") return "there is more than one YAML document in it";
  if (code === "UNEXPECTED_TOKEN" && message === "Unexpected scalar at node end")
    return 'unexpected text after a value; an IPv6 endpoint needs quotes: "[::1]:2379"';
  if (code === "NON_STRING_KEY") return "a key is not text";
  return messageOf(message);
}

function parse(written: string, fail: (detail: string) => never): Endpoint {
  try {
    return parseEndpoint(written);
  } catch (error) {
    return fail(error instanceof GatewayError ? error.detail : messageOf(error));
  }
}

/** The offset of the key or item at `path`; if it is missing, of its parent. */
function offsetOf(root: unknown, path: readonly PropertyKey[]): number {
  let node = root;
  let offset = startOf(node) ?? 0;
  for (const step of path) {
    const pair = isMap(node) ? node.items.find(({ key }) => isScalar(key) && key.value === step) : undefined;
    const found = pair?.key ?? (isSeq(node) ? node.items[Number(step)] : undefined);
    offset = startOf(found) ?? offset;
    node = pair ? pair.value : found;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

type Issue = z.core.$ZodIssue;

/** What is wrong with a value, and where in it. */
interface Mistake {
  readonly path: readonly PropertyKey[];
  readonly detail: string;
}

/** Describes the first issue of a schema; for a union, that of the alternative that was meant. */
function mistakeOf(issues: readonly Issue[], value: unknown): Mistake {
  const [issue] = issues;
  if (!issue) return { path: [], detail: "is not valid" };
  const { path } = issue;
  if (issue.code === "invalid_union") {
    // An alternative of another type than the value was not meant.
    const meant = issue.errors.find(([first]) => first?.code !== "invalid_type" || first.path.length > 0);
    if (!meant)
      return { path, detail: path.length > 0 ? notAnEndpoint : value === null ? nothing : notAList };
    const { path: within, detail } = mistakeOf(meant, at(value, path));
    return { path: [...path, ...within], detail };
  }
  if (issue.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    return { path: [...path, key], detail: `${quote(key)} is not a known key` };
  }
  const key = path.at(-1);
  const name = typeof key === "string" ? key : "this";
  if (at(value, path) === undefined) return { path, detail: `${name} is missing` };
  return { path, detail: `${name} ${fault(issue)}` };
}

const nothing = "there are no endpoints in it";
const notAList = 'this is not a list of endpoints, nor an object { "endpoints": [...] }';
const notAnEndpoint = 'this is not an endpoint, "host:port" or { "endpoint": "host:port" }';

function fault(issue: Issue): string {
  if (issue.code === "too_small" && issue.origin === "string") return "is empty";
  if (issue.code === "too_small" && issue.origin === "array") return "has no endpoint in it";
  if (issue.code === "invalid_type" && issue.expected === "string") return "is not text";
  if (issue.code === "invalid_type" && issue.expected === "array") return "is not a list";
  return "is not a whole number from 0 to 65535";
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, step) =>
      typeof inner === "object" && inner !== null ? (inner as Record<PropertyKey, unknown>)[step] : undefined,
    value,
  );
}

/** How deep a list of endpoints may be nested: it needs three levels, and each token of a line may count as one. */
const maxDepth = 50;

/**
 * The offset at which `text` becomes nested deeper than any list of endpoints; undefined if it does not.
 *
 * The composer of `yaml` is recursive: enough brackets exhaust the stack and end the process (V8 aborts when it cannot
 * compile a regular expression). Its lexer is not, so the depth is checked with that first.
 */
function tooDeepAt(text: string): number | undefined {
  const columns: number[] = [];
  let flow = 0;
  let offset = 0;
  let lineStart = 0;
  for (const token of new Lexer().lex(text)) {
    if (marks.has(token)) continue;
    if (token === "[" || token === "{") flow += 1;
    else if (token === "]" || token === "}") flow -= 1;
    else if (flow <= 0 && !/^\s*$/.test(token)) {
      const column = offset - lineStart;
      while ((columns.at(-1) ?? -1) >= column) columns.pop();
      columns.push(column);
    }
    if (flow + columns.length > maxDepth) return offset;
    offset += token.length;
    const newline = token.lastIndexOf("\n");
    if (newline >= 0) lineStart = offset - token.length + newline + 1;
  }
  return undefined;
}

/** Tokens without text: document, flow error, scalar (see CST in `yaml`). */
const marks: ReadonlySet<string> = new Set(["\u0002", "\u0018", "\u001f"]);
