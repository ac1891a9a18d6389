import { getServers } from "node:dns";
import { closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { isIPv6 } from "node:net";
import { platform } from "node:os";
import { type Address, GatewayError, parseAddress, quote } from "@gw/interface";
import {
  localServers,
  parseResolvConf,
  type ResolverConfiguration,
  type ResolverEnvironment,
} from "./resolv-conf.js";

/** What lies behind this in the file is not read. In bytes. */
const maxBytes = 65_536;
/** A file that was written so shortly before it was read may change again without a new time. In milliseconds. */
const unsettledMs = 2_000;
/**
 * What says that there is no configuration. Other errors are this machine's trouble of the moment, and say nothing
 * about what is configured; glibc draws the same line.
 */
const absent = new Set(["ENOENT", "ENOTDIR", "EISDIR", "ELOOP", "EACCES", "EPERM"]);

/**
 * Follows a resolver configuration file: the function returned reads it when it is new or has changed (its
 * time, size or inode did), unless it says `no-reload`. A file that is not there, must not be read or is none
 * (a pipe, say) means the platform's servers on Windows, and 127.0.0.1:53 elsewhere, as for any resolver. While
 * a file that was read once cannot be read, what it said holds on: files are replaced.
 *
 * The file is read at once, which takes some microseconds: look-ups must not wait for Node's thread pool,
 * whose threads may all be taken.
 *
 * The function returned throws a {@link GatewayError} when the file was never read and cannot be for want of
 * descriptors, memory or the like.
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
  // Should it be a pipe by now, this does not wait for a writer.
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
