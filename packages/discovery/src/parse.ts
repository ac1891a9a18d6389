import { type Endpoint, formatAddress, GatewayError, parseAddress, quote } from "@gw/interface";

/** etcd's client port, IANA's `etcd-client`; the default. */
const defaultPort = 2379;

/**
 * Parses one endpoint: `host`, `host:port`, `[v6]`, `[v6]:port`, or an `http(s)` URL, whose user-info, path and query are
 * ignored as in `etcd gateway`. The default port is 2379, also in URLs. A zone is written `[fe80::1%eth0]`, in URLs `[fe80::1%25eth0]` (RFC 6874). Spaces around it are trimmed.
 *
 * @throws {GatewayError} `invalid-endpoint`, with the value and what is wrong with it
 */
export function parseEndpoint(text: string): Endpoint {
  const trimmed = text.trim();
  try {
    const { authority, secure } = stripScheme(trimmed);
    const address = parseAddress(authority, { defaultPort, url: secure !== undefined });
    return Object.freeze({ ...address, priority: 0, weight: 0, ...(secure === undefined ? {} : { secure }) });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    // Neither the detail nor the cause may contain text before an @: it may be a password.
    const secret = trimmed.includes("@");
    const detail = secret ? errorAfterUser(trimmed, error) : error.detail;
    const shown = quote(secret ? `${schemeOf(trimmed)}…@${afterUser(trimmed)}` : trimmed);
    throw new GatewayError("invalid-endpoint", `endpoint ${shown}: ${detail}`, {
      ...(!secret && { cause: error }),
    });
  }
}

/** A parsed list, and its duplicates. */
export interface ParsedEndpoints {
  /** Each endpoint once, in the order of its first mention. Never empty. */
  readonly endpoints: readonly Endpoint[];
  /** `host:port` of each repeated endpoint; the first mention counts. */
  readonly duplicates: readonly string[];
}

/**
 * Parses a comma-separated list of endpoints.
 *
 * @throws {GatewayError} `invalid-endpoint` for an empty list, an empty item, or an item that
 *   {@link parseEndpoint} rejects
 */
export function parseEndpoints(list: string): ParsedEndpoints {
  if (list.trim() === "") throw new GatewayError("invalid-endpoint", "the list of endpoints is empty");
  const endpoints = new Map<string, Endpoint>();
  const duplicates: string[] = [];
  const items = list.split(",");
  const lastWithUser = items.findLastIndex(item => item.includes("@"));
  for (const [index, item] of items.entries()) {
    if (item.trim() === "")
      throw new GatewayError("invalid-endpoint", `the list of endpoints ${quote(list)} has an empty item`);
    const endpoint = parseItem(item, index, lastWithUser);
    const name = formatAddress(endpoint);
    if (endpoints.has(name)) duplicates.push(name);
    else endpoints.set(name, endpoint);
  }
  return { endpoints: [...endpoints.values()], duplicates };
}

/** One item of a list. An error shows nothing of it if a comma may have split a password. */
function parseItem(item: string, index: number, lastWithUser: number): Endpoint {
  const maybeSplit = !item.includes("@") && index < lastWithUser;
  try {
    return parseEndpoint(item);
  } catch (error) {
    if (!maybeSplit) throw error;
    throw new GatewayError(
      "invalid-endpoint",
      `endpoint ${index + 1} of the list cannot be read; in a user or password, write , as %2C`,
    );
  }
}

/** What is wrong with an endpoint that contains an `@`, without the text before that. */
function errorAfterUser(text: string, error: GatewayError): string {
  if (schemeOf(text) === "") return "a user and password need http:// or https:// in front of them";
  if (/[/?#].*@/s.test(text.slice(schemeOf(text).length)))
    return "in a user or password, write / as %2F, ? as %3F and # as %23";
  return error.detail;
}

function afterUser(text: string): string {
  return text.slice(text.lastIndexOf("@") + 1);
}

function schemeOf(text: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0] ?? "";
}

function stripScheme(text: string): { readonly authority: string; readonly secure?: boolean } {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text);
  if (!scheme) return { authority: text };
  const name = (scheme[1] ?? "").toLowerCase();
  if (name !== "http" && name !== "https")
    throw new GatewayError(
      "invalid-endpoint",
      `scheme ${quote(name)} is not supported; use http, https or none`,
    );
  const [authority = ""] = text.slice(scheme[0].length).split(/[/?#]/, 1);
  const withoutUser = authority.slice(authority.lastIndexOf("@") + 1);
  if (withoutUser === "") throw new GatewayError("invalid-endpoint", "has no host");
  return { authority: withoutUser, secure: name === "https" };
}
