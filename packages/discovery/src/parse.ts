import { type Endpoint, formatAddress, GatewayError, parseAddress, quote } from "@gw/interface";

/** etcd's client port, IANA's `etcd-client`; meant where an endpoint names none. */
const defaultPort = 2379;

/**
 * Reads one endpoint as people write it: `host`, `host:port`, `[v6]`, `[v6]:port`, or an `http(s)` URL of
 * which user-info, path and query are left out, as `etcd gateway` does. The port is 2379 where none is given,
 * also in URLs. A zone is written `[fe80::1%eth0]`, in URLs `[fe80::1%25eth0]` (RFC 6874). Spaces around it are trimmed.
 *
 * @throws {GatewayError} `invalid-endpoint`, naming the value and what is wrong with it
 */
export function parseEndpoint(text: string): Endpoint {
  const trimmed = text.trim();
  try {
    const { authority, secure } = stripScheme(trimmed);
    const address = parseAddress(authority, { defaultPort, url: secure !== undefined });
    return Object.freeze({ ...address, priority: 0, weight: 0, ...(secure === undefined ? {} : { secure }) });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    // Of what stands before an @, neither the detail nor the cause may show a part: it may be a password.
    const secret = trimmed.includes("@");
    const detail = secret ? faultBehindUser(trimmed, error) : error.detail;
    const shown = quote(secret ? `${schemeOf(trimmed)}…@${behindUser(trimmed)}` : trimmed);
    throw new GatewayError("invalid-endpoint", `endpoint ${shown}: ${detail}`, {
      ...(!secret && { cause: error }),
    });
  }
}

/** A parsed list, and what in it was said more than once. */
export interface ParsedEndpoints {
  /** Each endpoint once, in the order of its first mention. Never empty. */
  readonly endpoints: readonly Endpoint[];
  /** One `host:port` for each mention of an endpoint that stood before; the first mention holds. */
  readonly duplicates: readonly string[];
}

/**
 * Reads a comma-separated list of endpoints.
 *
 * @throws {GatewayError} `invalid-endpoint` for an empty list, an empty item, or an item that
 *   {@link parseEndpoint} refuses
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

/** One item of a list. Where a comma may have cut a password in two, an error shows nothing of it. */
function parseItem(item: string, index: number, lastWithUser: number): Endpoint {
  const mayBeCut = !item.includes("@") && index < lastWithUser;
  try {
    return parseEndpoint(item);
  } catch (error) {
    if (!mayBeCut) throw error;
    throw new GatewayError(
      "invalid-endpoint",
      `endpoint ${index + 1} of the list cannot be read; in a user or password, write , as %2C`,
    );
  }
}

/** What is wrong with an endpoint that has an `@` in it, told without what stands before that. */
function faultBehindUser(text: string, error: GatewayError): string {
  if (schemeOf(text) === "") return "a user and password need http:// or https:// in front of them";
  if (/[/?#].*@/s.test(text.slice(schemeOf(text).length)))
    return "in a user or password, write / as %2F, ? as %3F and # as %23";
  return error.detail;
}

function behindUser(text: string): string {
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
