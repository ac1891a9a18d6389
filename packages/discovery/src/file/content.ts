import { type Endpoint, formatAddress, GatewayError, messageOf, quote } from "@gw/interface";
import { isMap, isNode, isScalar, isSeq, Lexer, parseDocument, visit, type YAMLError } from "yaml";
import type * as z from "zod";
import { parseEndpoint } from "../parse.js";
import { endpointsSchema } from "./schema.js";

/**
 * Reads a list of endpoints in YAML, of which JSON is a part. Aliases, tags of one's own and several documents
 * are refused.
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
  const refuse = ({ path, says }: Complaint): never => fail(offsetOf(contents.node, path), says);
  if (error) return refuse(complaintOf(error.issues, contents.value));

  const [items, base] = Array.isArray(data) ? [data, []] : [data.endpoints, ["endpoints"]];
  const first = new Map<string, number>();
  return items.map((item, index) => {
    const path = [...base, index, ...(typeof item === "string" ? [] : ["endpoint"])];
    const {
      endpoint: written,
      priority = 0,
      weight = 0,
    } = typeof item === "string" ? { endpoint: item } : item;
    const endpoint = { ...parsed(written, says => refuse({ path, says })), priority, weight };
    const address = formatAddress(endpoint);
    const before = first.get(address);
    if (before !== undefined)
      return refuse({ path, says: `${address} stands on line ${lineAt(text, before)} already` });
    first.set(address, offsetOf(contents.node, path));
    return Object.freeze(endpoint);
  });
}

/** The text as YAML's nodes, which know where they stand, and as plain values. */
function compose(
  text: string,
  fail: (offset: number, detail: string) => never,
): { readonly node: unknown; readonly value: unknown } {
  const deep = tooDeepAt(text);
  if (deep !== undefined) return fail(deep, "is nested too deeply");
  const document = parseDocument(text, { prettyErrors: false, stringKeys: true });
  const [fault] = [...document.errors, ...document.warnings];
  if (fault) return fail(fault.pos[0], inWords(fault));
  visit(document, { Alias: (_, { range }) => fail(range?.[0] ?? 0, "aliases are not supported") });
  return { node: document.contents, value: document.toJS() as unknown };
}

/** Where the complaints of `yaml` would lead nobody to what to do. */
function inWords({ code, message }: YAMLError): string {
  if (code === "MULTIPLE_DOCS") return "there is more than one YAML document in it";
  if (code === "UNEXPECTED_TOKEN" && message === "Unexpected scalar at node end")
    return 'unexpected text after a value; an IPv6 endpoint needs quotes: "[::1]:2379"';
  if (code === "NON_STRING_KEY") return "a key is not text";
  return messageOf(message);
}

function parsed(written: string, fail: (detail: string) => never): Endpoint {
  try {
    return parseEndpoint(written);
  } catch (error) {
    return fail(error instanceof GatewayError ? error.detail : messageOf(error));
  }
}

/** Where the key or the item at `path` begins; or that which should have it. */
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

/** What a schema has against a value, and where in it. */
interface Complaint {
  readonly path: readonly PropertyKey[];
  readonly says: string;
}

/** The first of a schema's issues in words; where there are alternatives, what is wrong with the one meant. */
function complaintOf(issues: readonly Issue[], value: unknown): Complaint {
  const [issue] = issues;
  if (!issue) return { path: [], says: "is not valid" };
  const { path } = issue;
  if (issue.code === "invalid_union") {
    // An alternative that does not even have the value's type was not meant.
    const meant = issue.errors.find(([first]) => first?.code !== "invalid_type" || first.path.length > 0);
    if (!meant) return { path, says: path.length > 0 ? notAnEndpoint : value === null ? nothing : notAList };
    const { path: within, says } = complaintOf(meant, at(value, path));
    return { path: [...path, ...within], says };
  }
  if (issue.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    return { path: [...path, key], says: `${quote(key)} is not a known key` };
  }
  const key = path.at(-1);
  const name = typeof key === "string" ? key : "this";
  if (at(value, path) === undefined) return { path, says: `${name} is missing` };
  return { path, says: `${name} ${fault(issue)}` };
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

/** How deep a list of endpoints may be nested; it needs three levels, and a line's parts count as some more. */
const deepest = 50;

/**
 * The offset at which `text` becomes nested deeper than any list of endpoints; undefined where it does not.
 *
 * The composer of `yaml` is recursive, and so many brackets that they exhaust the stack end the whole process
 * (V8 cannot compile a regular expression there, and aborts). Its lexer is not, so it is asked first.
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
    if (flow + columns.length > deepest) return offset;
    offset += token.length;
    const newline = token.lastIndexOf("\n");
    if (newline >= 0) lineStart = offset - token.length + newline + 1;
  }
  return undefined;
}

/** Tokens that stand for no text: document, flow error, scalar (see CST in `yaml`). */
const marks: ReadonlySet<string> = new Set(["\u0002", "\u0018", "\u001f"]);
