import { getServers } from "node:dns";
import { closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { isIP, isIPv6 } from "node:net";
import { hostname, platform } from "node:os";
import { type Address, GatewayError, parseAddress, quote } from "@gw/interface";
import type { SearchRules } from "./name.js";

/** A resolver configuration. A flag that is absent is off. */
export interface ResolverConfiguration extends SearchRules {
  /** Name servers in the order in which they are queried. Never empty. */
  readonly servers: readonly Address[];
  /** `options timeout:n`: the timeout for one answer, in milliseconds; absent if not set. */
  readonly timeoutMs?: number;
  /** `options attempts:n`: how often to query all servers; absent if not set. */
  readonly attempts?: number;
  /** `options rotate`: each look-up begins with the next server. */
  readonly rotate?: boolean;
  /** `options use-vc`: servers are queried over TCP only. */
  readonly useVc?: boolean;
  /** `options edns0` or `-edns0`: whether queries may carry EDNS; absent if not set. */
  readonly edns0?: boolean;
  /** `options single-request`: IPv4 and IPv6 addresses are looked up one after the other. */
  readonly singleRequest?: boolean;
  /** `options no-aaaa`: IPv6 addresses are not looked up. */
  readonly noAaaa?: boolean;
  /** `options no-reload`: the file is read once. */
  readonly noReload?: boolean;
}

/** The environment variables of resolv.conf(5). */
export interface ResolverEnvironment {
  /** The search list, in place of the one in the file; empty to search nothing. */
  readonly LOCALDOMAIN?: string | undefined;
  /** Options, applied after those of the file. */
  readonly RES_OPTIONS?: string | undefined;
}

/** DNS's port, and how many name servers of a file count (MAXNS of resolv.conf(5)). */
const dnsPort = 53;
const maxServers = 3;
/** The default if no server is configured. */
const localServers: readonly Address[] = [{ host: "127.0.0.1", port: dnsPort }];
/** Each domain costs one more query for a name that does not exist. As many as a pod of Kubernetes may have. */
const maxSearchDomains = 32;
/** The silent limits of resolv.conf(5). */
const maxNdots = 15;
const maxTimeoutSeconds = 30;
const maxAttempts = 5;

/** Options that are on or off. Those in the table of docs/dns.md that have no effect here are left out. */
const flags: { readonly [word: string]: keyof ResolverConfiguration } = {
  rotate: "rotate",
  "use-vc": "useVc",
  edns0: "edns0",
  "single-request": "singleRequest",
  "no-aaaa": "noAaaa",
  "no-tld-query": "noTldQuery",
  "no-reload": "noReload",
};

/**
 * Parses resolv.conf(5), and, like all its parsers, skips what it does not understand: `nameserver` (the first three,
 * IPv4 or IPv6, with a zone), `search` and `domain` (the last one counts, with 32 domains at most), and `options`. The
 * environment is applied last.
 *
 * @param host this machine's name: where neither `search` nor `domain` is given, its domain is searched
 */
export function parseResolvConf(
  text: string,
  host: string = hostName(),
  environment: ResolverEnvironment = {},
): ResolverConfiguration {
  const servers: Address[] = [];
  const ownDomain = host.replace(/^[^.]*\.?/, "");
  let search: readonly string[] = ownDomain === "" ? [] : [ownDomain];
  let options: Omit<ResolverConfiguration, "servers" | "search"> = { ndots: 1 };
  for (const line of text.split(/\r?\n/)) {
    const [keyword, ...values] = wordsOf(line);
    const [value] = values;
    if (value === undefined) continue;
    if (keyword === "nameserver") servers.push(...serverOf(value));
    else if (keyword === "search") search = values;
    else if (keyword === "domain") search = [value];
    else if (keyword === "options") options = { ...options, ...optionsOf(values) };
  }
  const { LOCALDOMAIN, RES_OPTIONS = "" } = environment;
  if (LOCALDOMAIN !== undefined) search = splitBlanks(LOCALDOMAIN);
  return {
    servers: servers.length > 0 ? servers.slice(0, maxServers) : localServers,
    search: search
      .slice(0, maxSearchDomains)
      .map(domain => (domain === "." ? domain : domain.replace(/\.$/, ""))),
    ...options,
    ...optionsOf(splitBlanks(RES_OPTIONS)),
  };
}

/** Empty where a sandbox forbids it: the rest of the configuration is still used. */
function hostName(): string {
  try {
    return hostname();
  } catch {
    return "";
  }
}

/** The words before a comment. */
function wordsOf(line: string): readonly string[] {
  const words = splitBlanks(line);
  const comment = words.findIndex(word => /^[#;]/.test(word));
  return comment < 0 ? words : words.slice(0, comment);
}

function splitBlanks(text: string): readonly string[] {
  return text.split(/[ \t\r\n]+/).filter(word => word !== "");
}

/** As in glibc, a comment may follow an address without a blank. */
function serverOf(word: string): readonly Address[] {
  const [host = ""] = word.split(/[#;]/, 1);
  return isIP(host) === 0 ? [] : [{ host, port: dnsPort }];
}

/** Of an option that is given twice, the last counts; a `-` in front of a flag switches it off. */
function optionsOf(words: readonly string[]): Partial<ResolverConfiguration> {
  const options: { -readonly [name in keyof ResolverConfiguration]?: unknown } = {};
  for (const word of words) {
    const [, minus, name = "", digits] = /^(-)?([a-z0-9-]+)(?::(\d+))?$/.exec(word) ?? [];
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (flag && digits === undefined) options[flag] = minus === undefined;
    if (minus !== undefined || digits === undefined) continue;
    // glibc and others replace 0 by the least useful value.
    if (name === "ndots") options.ndots = Math.min(Number(digits), maxNdots);
    if (name === "timeout") options.timeoutMs = between(1, Number(digits), maxTimeoutSeconds) * 1_000;
    if (name === "attempts") options.attempts = between(1, Number(digits), maxAttempts);
  }
  return options as Partial<ResolverConfiguration>;
}

function between(least: number, value: number, most: number): number {
  return Math.min(Math.max(least, value), most);
}

/** The rest of a larger file is not read. In bytes. */
const maxBytes = 65_536;
/** A file that was written less than this before it was read may change again with the same time. In milliseconds. */
const unsettledMs = 2_000;
/**
 * These errors mean that there is no configuration, as in glibc. Others are temporary local errors.
 */
const absent = new Set(["ENOENT", "ENOTDIR", "EISDIR", "ELOOP", "EACCES", "EPERM"]);

/**
 * Follows a resolver configuration file: the function returned reads it when it is new or has changed (its time, size or
 * inode did), unless it has `no-reload`. Without a file, or if it may not be read or is not a regular file, the servers
 * are the platform's on Windows, and 127.0.0.1:53 elsewhere, as for any resolver. While a file that was read once cannot
 * be read, its last content stays in use: perhaps it is being replaced.
 *
 * The file is read synchronously, which takes some microseconds: look-ups must not wait for Node's thread pool, whose
 * threads may all be busy.
 *
 * The function returned throws a {@link GatewayError} when the file was never read and cannot be now, for lack of file
 * descriptors or memory, for example.
 */
export function followResolvConf(
  path: string,
  environment?: ResolverEnvironment,
): () => ResolverConfiguration {
  let version: string | undefined;
  let text: string | undefined;
  let known: ResolverConfiguration | undefined;
  return () => {
    if (known?.noReload) return known;
    try {
      const found = statSync(path, { bigint: true });
      if (!found.isFile()) return known ?? unconfigured(environment);
      const foundVersion = `${found.mtimeNs} ${found.ctimeNs} ${found.size} ${found.dev} ${found.ino}`;
      if (known && foundVersion === version) return known;
      const foundText = readStart(path);
      if (!known || foundText !== text) known = parseResolvConf(foundText, undefined, environment);
      text = foundText;
      const settled = Math.abs(Date.now() - Number(found.mtimeMs)) > unsettledMs;
      version = settled ? foundVersion : undefined;
      return known;
    } catch (error) {
      if (known) return known;
      if (absent.has((error as NodeJS.ErrnoException).code ?? "")) return unconfigured(environment);
      throw GatewayError.from(error, `read ${quote(path)}`);
    }
  };
}

/** The whole lines in the first {@link maxBytes} of a file. */
function readStart(path: string): string {
  // If it has become a named pipe, this does not wait for a writer.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const buffer = Buffer.alloc(maxBytes + 1);
    let filled = 0;
    for (let read = -1; read !== 0 && filled < buffer.length; filled += read)
      read = readSync(file, buffer, filled, buffer.length - filled, null);
    if (filled <= maxBytes) return buffer.toString("utf8", 0, filled);
    return buffer.toString("utf8", 0, buffer.lastIndexOf("\n") + 1);
  } finally {
    closeSync(file);
  }
}

function unconfigured(environment: ResolverEnvironment | undefined): ResolverConfiguration {
  return { ...parseResolvConf("", undefined, environment), servers: defaultServers() };
}

function defaultServers(): readonly Address[] {
  const listed = platform() === "win32" ? getServers() : [];
  if (listed.length === 0) return localServers;
  return listed.map(server =>
    isIPv6(server) ? { host: server, port: 53 } : parseAddress(server, { defaultPort: 53 }),
  );
}
