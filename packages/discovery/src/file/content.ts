import { type Endpoint, formatAddress, GatewayError, messageOf } from "@gw/interface";
import { isMap, isNode, isScalar, isSeq, parseDocument, visit, type YAMLError } from "yaml";
import { parseEndpoint } from "../parse.js";
import { type Complaint, complaintOf } from "./complaint.js";
import { tooDeepAt } from "./nesting.js";
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
