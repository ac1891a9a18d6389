import { isIP } from "node:net";
import { isLinkLocal } from "@gw/interface";
import { changingFile } from "./changing-file.js";

/** Some use the file to block domains; such lists have a few MiB. */
const maxBytes = 16 * 1024 * 1024;
/** How many addresses of one name are used. */
const maxAddresses = 64;

/** The platform's hosts file. */
const hostsPath: string =
  process.platform === "win32"
    ? `${process.env["SystemRoot"] ?? "C:\\Windows"}\\System32\\drivers\\etc\\hosts`
    : "/etc/hosts";

/**
 * Follows a hosts file, hosts(5): the function returned looks up the addresses of a name in it. It searches the text
 * without an index: most files are short, and long ones mostly list names that are never looked up.
 */
export function followHosts(path: string = hostsPath): (name: string) => Promise<readonly string[]> {
  const read = changingFile(path, maxBytes, text => lowerCase(text));
  return async name => hostAddresses((await read()) ?? "", name);
}

/**
 * The addresses that `text`, a hosts file in lower case, has for a name or alias, in its order and each once. Names are
 * compared ignoring case and a trailing dot. Lines that do not begin with an IP address are ignored, and so are link-local
 * addresses without a zone, to which no socket can connect.
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
