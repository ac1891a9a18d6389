import { isIP } from "node:net";
import { isLinkLocal } from "@gw/interface";
import { changingFile } from "./changing-file.js";

/** Lists of blocked domains have a few MiB. */
const maxBytes = 16 * 1024 * 1024;
/** As many as one name may have; more are of no use to anybody. */
const maxAddresses = 64;

/** Where the platform has its file of hosts. */
const hostsPath: string =
  process.platform === "win32"
    ? `${process.env["SystemRoot"] ?? "C:\\Windows"}\\System32\\drivers\\etc\\hosts`
    : "/etc/hosts";

/**
 * Follows a file of hosts, hosts(5): the function returned tells the addresses of a name in it. The text is kept, not
 * an index: most files are short, and those that are not are mostly about names that nobody asks for.
 */
export function followHosts(path: string = hostsPath): (name: string) => Promise<readonly string[]> {
  const read = changingFile(path, maxBytes, text => lowerCase(text));
  return async name => hostAddresses((await read()) ?? "", name);
}

/**
 * The addresses that `text`, a file of hosts in lower case, has for a name or alias, in its order and each once. The
 * name is compared without regard to case and to a trailing dot on either side. Lines that do not begin with an IP
 * address say nothing, and neither does a link-local address without a zone, which nobody could connect to.
 */
export function hostAddresses(text: string, name: string): readonly string[] {
  const wanted = withoutDot(lowerCase(name));
  const addresses = new Set<string>();
  if (wanted === "" || /[\s#]/.test(wanted)) return [];
  let lineEnd = -1;
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, lineEnd)) {
    const end = text.indexOf("\n", at);
    lineEnd = end < 0 ? text.length : end;
    const line = text.slice(text.lastIndexOf("\n", at) + 1, lineEnd);
    const [address = "", ...names] = wordsOf(line);
    if (isUsable(address) && names.some(one => withoutDot(one) === wanted)) addresses.add(address);
    if (addresses.size === maxAddresses) break;
  }
  return [...addresses];
}

/** The words before a comment. */
function wordsOf(line: string): readonly string[] {
  return line
    .replace(/#.*$/s, "")
    .split(/[ \t\r\f\v]+/)
    .filter(word => word !== "");
}

function isUsable(address: string): boolean {
  return isIP(address) !== 0 && (address.includes("%") || !isLinkLocal(address));
}

function withoutDot(name: string): string {
  return name.endsWith(".") ? name.slice(0, -1) : name;
}

/** ASCII only (RFC 4343): other letters are bytes. */
function lowerCase(text: string): string {
  return text.replace(/[A-Z]+/g, letters => letters.toLowerCase());
}
