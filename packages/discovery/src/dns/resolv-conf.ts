import { getServers } from "node:dns";
import { readFile, stat } from "node:fs/promises";
import { isIP, isIPv6 } from "node:net";
import { hostname, platform } from "node:os";
import { type Address, parseAddress } from "@gw/interface";
import type { SearchRules } from "./name.js";

/** What a resolver configuration says. */
export interface ResolverConfiguration extends SearchRules {
  /** Name servers in the order in which they are asked. Never empty. */
  readonly servers: readonly Address[];
  /** `options timeout:n`: how long to wait for one answer, in milliseconds; absent when not said. */
  readonly timeoutMs?: number;
  /** `options attempts:n`: how often to ask all servers; absent when not said. */
  readonly attempts?: number;
}

/** DNS's port, and how many name servers of a file count (MAXNS of resolv.conf(5)). */
const dnsPort = 53;
const maxServers = 3;
/** resolv.conf(5) caps silently. */
const maxNdots = 15;
const maxTimeoutSeconds = 30;
const maxAttempts = 5;

/**
 * Follows a resolver configuration file: the function returned reads it when it is new or has changed (its
 * time, size or inode did). A file that is not there means the platform's servers on Windows, and
 * 127.0.0.1:53 elsewhere, as for any resolver. While a file that was read once cannot be read, what it said
 * holds on: files are replaced.
 */
export function followResolvConf(path: string): () => Promise<ResolverConfiguration> {
  let version: string | undefined;
  let known: ResolverConfiguration | undefined;
  return async () => {
    try {
      const { mtimeMs, size, ino } = await stat(path);
      const found = `${mtimeMs} ${size} ${ino}`;
      if (known && found === version) return known;
      known = parseResolvConf(await readFile(path, "utf8"));
      version = found;
      return known;
    } catch {
      return known ?? { servers: defaultServers(), search: [], ndots: 1 };
    }
  };
}

/**
 * Reads what resolv.conf(5) describes, and, like every reader of it, skips what it does not understand:
 * `nameserver` (the first three, IPv4 or IPv6, with a zone), `search` and `domain` (the last one holds),
 * `options` ndots, timeout and attempts. Environment variables are not looked at.
 *
 * @param host this machine's name: where neither `search` nor `domain` is given, its domain is searched
 */
export function parseResolvConf(text: string, host: string = hostName()): ResolverConfiguration {
  const servers: Address[] = [];
  let search = host.includes(".") ? [host.slice(host.indexOf(".") + 1)] : [];
  let options: Omit<ResolverConfiguration, "servers" | "search"> = { ndots: 1 };
  for (const line of text.split(/\r?\n/)) {
    const [keyword, ...values] = wordsOf(line);
    const [value = ""] = values;
    if (keyword === "nameserver" && isIP(value) !== 0) servers.push({ host: value, port: dnsPort });
    else if (keyword === "search") search = values;
    else if (keyword === "domain" && value !== "") search = [value];
    else if (keyword === "options") options = { ...options, ...optionsOf(values) };
  }
  return {
    servers: servers.length > 0 ? servers.slice(0, maxServers) : [{ host: "127.0.0.1", port: dnsPort }],
    search: search.map(domain => (domain === "." ? domain : domain.replace(/\.$/, ""))),
    ...options,
  };
}

/** Empty where a sandbox does not tell it: the rest of the configuration holds all the same. */
function hostName(): string {
  try {
    return hostname();
  } catch {
    return "";
  }
}

/** The words before a comment. */
function wordsOf(line: string): readonly string[] {
  const words = line.split(/[ \t]+/).filter(word => word !== "");
  const comment = words.findIndex(word => /^[#;]/.test(word));
  return comment < 0 ? words : words.slice(0, comment);
}

function optionsOf(words: readonly string[]): Partial<ResolverConfiguration> {
  const number = (name: string): number | undefined => {
    const found = words.map(word => new RegExp(`^${name}:(\\d{1,6})$`).exec(word)?.[1]).find(Boolean);
    return found === undefined ? undefined : Number(found);
  };
  const [ndots, timeout, attempts] = [number("ndots"), number("timeout"), number("attempts")];
  return {
    ...(ndots !== undefined && { ndots: Math.min(ndots, maxNdots) }),
    ...(timeout && { timeoutMs: Math.min(timeout, maxTimeoutSeconds) * 1_000 }),
    ...(attempts && { attempts: Math.min(attempts, maxAttempts) }),
  };
}

function defaultServers(): readonly Address[] {
  const listed = platform() === "win32" ? getServers() : [];
  if (listed.length === 0) return [{ host: "127.0.0.1", port: dnsPort }];
  return listed.map(server =>
    isIPv6(server) ? { host: server, port: dnsPort } : parseAddress(server, { defaultPort: dnsPort }),
  );
}
