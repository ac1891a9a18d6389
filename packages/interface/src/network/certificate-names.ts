import { isIP, SocketAddress } from "node:net";
import { quote } from "../quote.js";

/**
 * What is wrong with the names in a server's certificate; undefined if it is for one of `hosts`.
 *
 * The rules are those of Go's `crypto/x509`, as in etcd's clients and peers. Only subject
 * alternative names count, never the common name. A wildcard is the whole leftmost label (`*.example.com`) and matches
 * exactly one label; a part of a label (`h*`) is no wildcard. An IP address is compared with IP addresses only.
 * Case and a dot at the end of a host are ignored.
 *
 * @param subjectAltName what Node gives: `X509Certificate.subjectAltName`, or `subjectaltname` of a `PeerCertificate`
 * @param hosts host names and IP addresses; the certificate has to be for one of them
 */
export function certificateNameFault(
  subjectAltName: string | undefined,
  hosts: readonly string[],
): string | undefined {
  const wanted = hosts.map(asInCertificates);
  const names = alternativeNames(subjectAltName ?? "");
  if (wanted.some(host => isFor(names, host))) return undefined;
  const list = wanted.map(quote).join(" or ");
  return subjectAltName === undefined || subjectAltName === ""
    ? `its certificate has no names (no subject alternative names), so not ${list}`
    : `its certificate is not for ${list}, but for ${quote(subjectAltName)}`;
}

/** The name to send in a TLS handshake (SNI): the first of `hosts` that is a name; empty, for none, if there is none. */
export function serverNameOf(hosts: readonly string[]): string {
  return hosts.map(asInCertificates).find(name => !isIP(name)) ?? "";
}

/** The names of a certificate that can be compared. */
interface AlternativeNames {
  readonly dns: readonly string[];
  /** In canonical form. */
  readonly addresses: readonly string[];
}

/** One name as Node formats it: the value is a JSON string if it has special characters. */
const oneName = /(?<kind>[A-Za-z][A-Za-z ]*):(?<value>"(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;

/** Text that cannot be parsed counts as no names. */
function alternativeNames(text: string): AlternativeNames {
  const dns: string[] = [];
  const addresses: string[] = [];
  oneName.lastIndex = 0;
  while (oneName.lastIndex < text.length) {
    const { kind, value = "" } = oneName.exec(text)?.groups ?? {};
    const plain = unquoted(value);
    if (kind === undefined || plain === undefined) return { dns: [], addresses: [] };
    if (kind === "DNS") dns.push(lowerCase(plain));
    if (kind === "IP Address" && isIP(plain)) addresses.push(canonical(plain));
  }
  return { dns, addresses };
}

function unquoted(value: string): string | undefined {
  if (!value.startsWith('"')) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    return undefined;
  }
}

function isFor({ dns, addresses }: AlternativeNames, host: string): boolean {
  if (isIP(host)) return addresses.includes(host);
  const valid = isHostName(host);
  // As in Go: names that are no host names are compared unchanged.
  return dns.some(name => (valid && isPattern(name) ? matches(name, host) : name !== "" && name === host));
}

function matches(pattern: string, host: string): boolean {
  const [first, ...rest] = pattern.split(".");
  const [label, ...parent] = host.split(".");
  return (first === "*" || first === label) && rest.join(".") === parent.join(".");
}

function isHostName(name: string): boolean {
  return name.split(".").every(label => /^[a-z0-9_][a-z0-9_-]*$/.test(label));
}

function isPattern(name: string): boolean {
  return isHostName(name.replace(/^\*\./, ""));
}

/** The form in certificates: names without the dot at their end, addresses without a zone and not mapped to IPv6. */
function asInCertificates(host: string): string {
  const address = host.replace(/%.*$/s, "");
  return isIP(address) ? canonical(address) : lowerCase(host.replace(/\.$/, ""));
}

function canonical(address: string): string {
  if (isIP(address) === 4) return address;
  const text = new SocketAddress({ address, family: "ipv6" }).address;
  return text.replace(/^::ffff:(?=\d+\.)/, "");
}

/** ASCII only: some other letters would become ASCII letters. */
function lowerCase(text: string): string {
  return text.replace(/[A-Z]+/g, letters => letters.toLowerCase());
}
