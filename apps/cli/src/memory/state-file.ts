import { constants } from "node:fs";
import { type FileHandle, lstat, open, rename, rm } from "node:fs/promises";
import { isIP } from "node:net";
import { getSystemErrorMap } from "node:util";
import { type Endpoint, GatewayError, parseAddress } from "@gw/interface";

/** What a gateway remembers for its next start. */
export interface State {
  /** When it was last known to be true, in milliseconds since 1970. */
  readonly savedAt: number;
  /** The flags that the endpoints were found with, as text: endpoints found with others are not the ones wanted. */
  readonly discovery: string;
  /** The id of the cluster, in hexadecimal; undefined if it is not known. */
  readonly clusterId?: string | undefined;
  /** The last good endpoints. */
  readonly endpoints: readonly Endpoint[];
  /** IP addresses by host name, best first. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
}

/** Bounds of a state; what is beyond them is not written, and makes a file invalid. */
export const stateLimits = { endpoints: 1_000, hosts: 1_000, addresses: 8, bytes: 1024 * 1024 } as const;

/** The version of the format. A file of another one is not read. */
const format = 1;

/** Writing by other users, of the bits of a mode. */
const writableByOthers = 0o002;

/**
 * Reads a state file.
 *
 * @returns undefined if there is none
 * @throws {GatewayError} why it cannot be used: it cannot be read, is not a regular file of this user, others may write it,
 *   or its content is invalid. Its detail does not contain the path
 */
export async function readState(path: string): Promise<State | undefined> {
  let file: FileHandle | undefined;
  try {
    // A named pipe without a writer must not block, and a link could lead to a file of another user.
    const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants;
    file = await open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    const stats = await file.stat();
    if (!stats.isFile()) throw invalid(stats.isDirectory() ? "it is a folder" : "it is not a regular file");
    const user = process.geteuid?.();
    if (user !== undefined && stats.uid !== user)
      throw invalid(`it belongs to user ${stats.uid}, not ${user}`);
    if (user !== undefined && stats.mode & writableByOthers) throw invalid("every user may write it");
    return parseState(await readBounded(file));
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    if (isErrno(error, "ELOOP")) throw invalid("it is a symbolic link");
    throw explained(error);
  } finally {
    await file?.close().catch(() => {});
  }
}

async function readBounded(file: FileHandle): Promise<string> {
  const buffer = Buffer.alloc(stateLimits.bytes + 1);
  let length = 0;
  for (let bytesRead = -1; bytesRead !== 0 && length < buffer.length; length += bytesRead)
    ({ bytesRead } = await file.read(buffer, length, buffer.length - length, null));
  if (length > stateLimits.bytes) throw invalid(`it has more than ${stateLimits.bytes} bytes`);
  return buffer.toString("utf8", 0, length);
}

/**
 * Replaces a state file. Readers see the old content or the new one, also after a loss of power: it is written to a new
 * file in the same folder, which then takes its name. What is there and is not a regular file is left alone.
 *
 * @throws {GatewayError} why that is not possible. Its detail does not contain the path
 */
export async function writeState(path: string, state: State): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    const there = await lstat(path).catch((error: unknown) => {
      if (!isErrno(error, "ENOENT")) throw error;
    });
    // As /dev/null, which some take for "none".
    if (there && !there.isFile()) throw invalid("it is not a regular file");
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(formatState(state));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw explained(error);
  }
}

/** The text of a state file, within {@link stateLimits}. */
export function formatState({ savedAt, discovery, clusterId, endpoints, addresses }: State): string {
  const hosts = [...addresses].slice(-stateLimits.hosts);
  const content = {
    format,
    savedAt: new Date(savedAt).toISOString(),
    discovery,
    clusterId,
    endpoints: endpoints
      .slice(0, stateLimits.endpoints)
      .map(({ host, port, priority, weight, secure }) => ({ host, port, priority, weight, secure })),
    hosts: hosts.map(([name, found]) => ({ name, addresses: found.slice(0, stateLimits.addresses) })),
  };
  return `${JSON.stringify(content, undefined, 1)}\n`;
}

/**
 * Reads the text of a state file.
 *
 * @throws {GatewayError} what is invalid
 */
export function parseState(text: string): State {
  const content = recordOf(parseJson(text), "it");
  if (content["format"] !== format)
    throw invalid(`its format is ${shown(content["format"])}, and this version of gw reads ${format}`);
  const savedAt = Date.parse(textIn(content, "savedAt"));
  if (Number.isNaN(savedAt)) throw invalid("savedAt is not a time");
  const clusterId = content["clusterId"];
  if (clusterId !== undefined && !(typeof clusterId === "string" && /^[0-9a-f]{1,16}$/.test(clusterId)))
    throw invalid("clusterId is not an id");
  const endpoints = listIn(content, "endpoints", stateLimits.endpoints).map(endpointOf);
  const hosts = listIn(content, "hosts", stateLimits.hosts).map(hostOf);
  return {
    savedAt,
    discovery: textIn(content, "discovery"),
    clusterId,
    endpoints,
    addresses: new Map(hosts),
  };
}

function endpointOf(value: unknown): Endpoint {
  const record = recordOf(value, "an endpoint");
  const [host, secure] = [textIn(record, "host"), record["secure"]];
  if (!isHost(host)) throw invalid(`the host ${shown(host)} is neither a name nor an IP address`);
  if (secure !== undefined && typeof secure !== "boolean") throw invalid("secure is neither true nor false");
  return {
    host,
    port: numberIn(record, "port", 1),
    priority: numberIn(record, "priority", 0),
    weight: numberIn(record, "weight", 0),
    ...(secure !== undefined && { secure }),
  };
}

function hostOf(value: unknown): readonly [string, readonly string[]] {
  const record = recordOf(value, "a host");
  const name = textIn(record, "name");
  const found = listIn(record, "addresses", stateLimits.addresses).map(address => {
    if (typeof address === "string" && isIP(address) !== 0) return address;
    throw invalid(`the address ${shown(address)} is not an IP address`);
  });
  if (!isHost(name) || found.length === 0)
    throw invalid(`the host ${shown(name)} has no name or no addresses`);
  return [name, found];
}

function isHost(host: string): boolean {
  try {
    return parseAddress(host.includes(":") ? `[${host}]` : host, { defaultPort: 1 }).host === host;
  } catch {
    return false;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid(text === "" ? "it is empty" : "it is not JSON, or only a part of it");
  }
}

function recordOf(value: unknown, name: string): { readonly [key: string]: unknown } {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw invalid(`${name} is not an object`);
}

function textIn(record: { readonly [key: string]: unknown }, key: string): string {
  const value = record[key];
  if (typeof value === "string") return value;
  throw invalid(`${key} is not text`);
}

function numberIn(record: { readonly [key: string]: unknown }, key: string, least: number): number {
  const value = record[key];
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= 65_535)
    return value as number;
  throw invalid(`${key} is not a whole number from ${least} to 65535`);
}

function listIn(record: { readonly [key: string]: unknown }, key: string, most: number): readonly unknown[] {
  const value = record[key];
  if (Array.isArray(value) && value.length <= most) return value;
  throw invalid(`${key} is not a list of at most ${most}`);
}

/** A value for a message, cut. */
function shown(value: unknown): string {
  return `${JSON.stringify(value)}`.slice(0, 80);
}

function isErrno(error: unknown, errno: string): boolean {
  return error instanceof Error && "code" in error && error.code === errno;
}

/** An error of the file system, without the path in its text: it may be that of a temporary file. */
function explained(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const errno = error instanceof Error && "errno" in error ? Number(error.errno) : Number.NaN;
  const [name, sentence] = getSystemErrorMap().get(errno) ?? [];
  if (name === undefined) return GatewayError.from(error, "state file");
  return new GatewayError("unknown", `${sentence} (${name})`, { cause: error });
}

function invalid(detail: string): GatewayError {
  return new GatewayError("invalid-option", detail);
}
