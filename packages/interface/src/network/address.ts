import { isIPv4, isIPv6, SocketAddress } from "node:net";
import { GatewayError } from "../error.js";
import { quote } from "../quote.js";

/** An address to connect to or to listen on. */
export interface Address {
  /**
   * A host name or an IP literal; IPv6 has no brackets, and link-local IPv6 its zone: `fe80::1%eth0`. Of a Unix socket that
   * is listened on, or its client, see {@link unixAddress}.
   */
  readonly host: string;
  /** 1 to 65535; 0 only where a free port may be chosen (listening), and for Unix sockets. */
  readonly port: number;
}

/**
 * `host:port`, with IPv6 in brackets: `10.0.0.1:2379`, `[::1]:2379`. The trailing dot of an absolute name
 * is dropped, so that equal strings are equal endpoints. A Unix socket is `unix:` and its path.
 */
export function formatAddress({ host, port }: Address): string {
  if (host.startsWith("unix:")) return host;
  return host.includes(":") ? `[${host}]:${port}` : `${host.replace(/\.$/, "")}:${port}`;
}

/**
 * Parses `host`, `host:port`, `[v6]` or `[v6]:port`. Names become lower case and IPv6 its canonical form, so
 * that equal addresses are equal strings.
 *
 * A link-local IPv6 address has a zone, the interface that it is on by name or number: `[fe80::1%eth0]`. Other
 * addresses have none. Whether the interface exists is not checked: it may come later.
 *
 * @param options.defaultPort the port if `text` has none; without it a missing port is an error
 * @param options.allowPortZero whether port 0 ("any free port") is allowed
 * @param options.url `text` is a part of a URL, where a zone is written `%25eth0` (RFC 6874); `%eth0` is accepted as well
 * @throws {GatewayError} `invalid-address`; its detail is the reason, without the text
 */
export function parseAddress(
  text: string,
  options: { readonly defaultPort?: number; readonly allowPortZero?: boolean; readonly url?: boolean } = {},
): Address {
  if (text === "") throw invalid("is empty");
  if (/^[^[]*:.*@/s.test(text)) throw invalid("has a user and password, which are not allowed here");
  // isIPv6 compiles a large regular expression, so it is called only if there are two colons.
  if (/:.*:/s.test(text) && isIPv6(text)) throw invalid(`an IPv6 address needs brackets: [${text}]`);
  const match = /^(?:\[(?<v6>[^[\]]*)\]|(?<name>[^:[\]]*))(?<colon>:(?<port>.*))?$/s.exec(text)?.groups;
  if (!match) throw invalid("is not of the form host:port or [IPv6]:port");
  const { v6, name = "", colon, port = "" } = match;
  const host = v6 === undefined ? parseHost(name) : parseBracketed(v6, options.url ?? false);
  if (colon === undefined) {
    if (options.defaultPort === undefined) throw invalid("has no port");
    return { host, port: options.defaultPort };
  }
  return { host, port: parsePort(port, options.allowPortZero ? 0 : 1) };
}

/** Whether `host` is an IPv6 address of one link (fe80::/10), which is ambiguous without an interface. */
export function isLinkLocal(host: string): boolean {
  return /^fe[89ab][0-9a-f]:/i.test(host);
}

function parsePort(text: string, lowest: 0 | 1): number {
  const port = /^(?:0|[1-9]\d{0,4})$/.test(text) ? Number(text) : Number.NaN;
  if (port >= lowest && port <= 65535) return port;
  throw invalid(`port ${quote(text)} is not a number from ${lowest} to 65535`);
}

function parseBracketed(text: string, url: boolean): string {
  const [address = "", ...rest] = text.split("%");
  if (!isIPv6(address)) throw invalid(`${quote(text)} in brackets is not an IPv6 address`);
  const host = new SocketAddress({ address, family: "ipv6" }).address;
  const linkLocal = isLinkLocal(host);
  if (rest.length > 0 && !linkLocal)
    throw invalid(`${quote(text)} has a zone, which only link-local addresses (fe80::/10) have`);
  if (rest.length > 0) return `${host}%${parseZone(rest.join("%"), url)}`;
  if (linkLocal) throw invalid(`a link-local address needs its interface, as in [${host}%eth0]`);
  return host;
}

/**
 * The name or number of an interface. Node.js accepts no other characters in an address; an interface with another name
 * can be given by its number.
 */
const zoneForm = /^[0-9a-z.:-]{1,64}$/i;

/** In a URL the percent sign before a zone is `%25`. Users copy that form to other places, so it is accepted there as well. */
function parseZone(text: string, url: boolean): string {
  const encoded = url ? /^25(?=.)/ : /^25(?=[a-z])/i;
  const zone = encoded.test(text) ? unescaped(text.replace(encoded, "")) : text;
  if (zoneForm.test(zone)) return zone;
  throw invalid(`zone ${quote(zone)} is not the name of an interface; its number can be used as well`);
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A label of a host name: letters, digits, hyphens inside, and underscores, which occur in practice. */
const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;

/** Host names by RFC 1123; like the WHATWG URL standard, what ends in a number must be an IPv4 address. */
function parseHost(text: string): string {
  if (text === "") throw invalid("has no host");
  const name = text.replace(/\.$/, "");
  const labels = name.split(".");
  const wellFormed = name.length <= 253 && labels.every(one => label.test(one));
  const numeric = /^(?:\d+|0x[0-9a-f]*)$/i.test(labels.at(-1) ?? "");
  if (!wellFormed || (numeric && !isIPv4(text)))
    throw invalid(`${quote(text)} is not a host name or an IP address`);
  // After the checks, since it converts some letters outside ASCII to ASCII.
  return text.toLowerCase();
}

function invalid(detail: string): GatewayError {
  return new GatewayError("invalid-address", detail);
}
