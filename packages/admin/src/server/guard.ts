import type { IncomingMessage } from "node:http";
import { isIPv4, isIPv6 } from "node:net";
import { hostname } from "node:os";
import { type Answer, text } from "./answer.js";
import { maxHeaders, maxTargetLength } from "./limits.js";

/** Where a request came in. */
export interface Entrance {
  /** Whether it is a Unix socket, which no browser can be made to connect to. */
  readonly unix: boolean;
  /** Names that the server is called by, in lower case, besides `localhost` and the name of this machine. */
  readonly names: ReadonlySet<string>;
}

const ownNames: ReadonlySet<string> = new Set(["localhost", hostname().toLowerCase()]);

/**
 * Refuses requests that a foreign web page made a browser send, and those that are malformed or too large; undefined if
 * `request` may be answered.
 *
 * - `Host` must be an IP address or a name of this server. A page whose own name was made to resolve to this machine (DNS
 *   rebinding) has another one.
 * - `Origin` must be this server, and `Sec-Fetch-Site` must not be another site, except where a user follows a link.
 */
export function refusal(request: IncomingMessage, entrance: Entrance): Answer | undefined {
  if (request.rawHeaders.length > 2 * maxHeaders) return text(431, "too many headers");
  if ((request.url ?? "").length > maxTargetLength) return text(414, "the path or query is too long");
  for (const header of ["host", "origin", "x-gw-action"])
    if ((request.headersDistinct[header]?.length ?? 0) > 1)
      return text(400, `there is more than one ${header} header`);
  const { host, origin } = request.headers;
  if (host === undefined && request.httpVersion !== "1.0") return text(400, "there is no host header");
  if (host !== undefined && !entrance.unix && !isOwnHost(host, entrance.names))
    return text(
      421,
      "the host header is neither an IP address nor a name of this server; the name in --admin-addr is one",
    );
  if (origin !== undefined && !isOriginOf(origin, host)) return text(403, "the origin is another site");
  if (isForeignFetch(request)) return text(403, "the request comes from another site");
  return undefined;
}

function isOwnHost(header: string, names: ReadonlySet<string>): boolean {
  // A link-local address comes with and without its zone.
  const v6 = /^\[([^\]%]*)(?:%[^\]]*)?\](?::\d{1,5})?$/.exec(header)?.[1];
  if (v6 !== undefined) return isIPv6(v6);
  const host = /^([^:]+?)\.?(?::\d{1,5})?$/.exec(header)?.[1]?.toLowerCase() ?? "";
  return isIPv4(host) || ownNames.has(host) || names.has(host);
}

/** The scheme may differ: a proxy in front of this server may have TLS. */
function isOriginOf(origin: string, host: string | undefined): boolean {
  const match = /^https?:\/\/([^/]+)$/i.exec(origin);
  return host !== undefined && match?.[1]?.toLowerCase() === host.toLowerCase();
}

/** Browsers say where a request comes from, if the address is local or has TLS. */
function isForeignFetch({ headers }: IncomingMessage): boolean {
  const site = headers["sec-fetch-site"];
  if (site === undefined || site === "same-origin" || site === "none") return false;
  return headers["sec-fetch-mode"] !== "navigate" || headers["sec-fetch-dest"] !== "document";
}
