import { type Endpoint, formatAddress, GatewayError, parseAddress, quote, sameEndpoint } from "@gw/interface";

/** etcd's client port, IANA's `etcd-client`; meant where an endpoint names none. */
const defaultPort = 2379;

/**
 * Reads one endpoint as people write it: `host`, `host:port`, `[v6]`, `[v6]:port`, or an `http(s)` URL of
 * which user-info, path and query are left out, as `etcd gateway` does. The port is 2379 where none is given,
 * also in URLs. Spaces around it are trimmed.
 *
 * @throws {GatewayError} `invalid-endpoint`, naming the value and what is wrong with it
 */
export function parseEndpoint(text: string): Endpoint {
  const trimmed = text.trim();
  try {
    const { authority, secure } = stripScheme(trimmed);
    const address = parseAddress(authority, { defaultPort });
    return Object.freeze({ ...address, priority: 0, weight: 0, ...(secure === undefined ? {} : { secure }) });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError(
      "invalid-endpoint",
      `endpoint ${quote(withoutPassword(trimmed))}: ${error.detail}`,
      {
        cause: error,
      },
    );
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
  const endpoints: Endpoint[] = [];
  const duplicates: string[] = [];
  for (const item of list.split(",")) {
    if (item.trim() === "")
      throw new GatewayError("invalid-endpoint", `the list of endpoints ${quote(list)} has an empty item`);
    const endpoint = parseEndpoint(item);
    if (endpoints.some(known => sameEndpoint(known, endpoint))) duplicates.push(formatAddress(endpoint));
    else endpoints.push(endpoint);
  }
  return { endpoints, duplicates };
}

/** A password is not used, and must not get into a log either. */
function withoutPassword(text: string): string {
  return text.replace(/(\/\/[^/?#:@]*:)[^/?#]*@/, "$1…@");
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
