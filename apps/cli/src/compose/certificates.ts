import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { watchForChanges } from "@gw/discovery";
import { type Clock, type Endpoint, GatewayError, quote, systemClock } from "@gw/interface";
import type { DiscoveryFlags } from "../flags/discovery.js";

/** Connects to an endpoint. */
export type Dial = (endpoint: Endpoint, signal: AbortSignal) => Promise<Socket>;

/** TLS towards endpoints. */
export interface Certificates {
  /** Contents of the files in use. */
  readonly files: TlsFiles;
  /** Rejects if the certificate of an endpoint is not valid; undefined without `--trusted-ca-file`. */
  readonly check: ((endpoint: Endpoint, signal: AbortSignal) => Promise<unknown>) | undefined;
  /**
   * Reads the files again.
   *
   * @throws {GatewayError} `invalid-option` if one cannot be used; then what was read before stays in use
   */
  reload(): void;
  /** Watches the files until `signal` is aborted, and uses them when they have changed. */
  follow(events: FollowEvents, signal: AbortSignal): void;
}

/** What happens with certificate files that have changed. */
type FollowEvents = Pick<Following, "onUsed" | "onProblem">;

/**
 * Reads the files that the flags name.
 *
 * @throws {GatewayError} `invalid-option` if one of them cannot be used
 */
export async function loadCertificates(flags: DiscoveryFlags, dial: Dial): Promise<Certificates> {
  const { trustedCaFile, certFile, keyFile, discoverySrv } = flags;
  // Loading OpenSSL takes time and memory, which a gateway that never uses TLS itself saves.
  if ((trustedCaFile ?? certFile ?? keyFile) === undefined)
    return { files: {}, check: undefined, reload() {}, follow() {} };
  const { certificateCheck } = await import("@gw/etcd-client");
  const serverNames = discoverySrv === undefined ? [] : [discoverySrv];
  const read = () => {
    const files = readTlsFiles(flags);
    return { files, check: certificateCheck({ ...files, serverNames, dial }) };
  };
  let current = read();
  return {
    get files() {
      return current.files;
    },
    check: trustedCaFile === undefined ? undefined : (endpoint, signal) => current.check(endpoint, signal),
    reload() {
      current = read();
    },
    follow(events, signal) {
      const named = { ca: trustedCaFile, cert: certFile, key: keyFile };
      const given = (["ca", "cert", "key"] as const).filter(name => named[name] !== undefined);
      const following = {
        ...events,
        paths: given.map(name => named[name] as string),
        current: () => given.map(name => current.files[name]),
        use: () => {
          current = read();
        },
      };
      void followFiles(following, signal);
    },
  };
}

/** PEM texts for TLS towards endpoints; absent for flags that are not given. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/**
 * Reads the files that `--trusted-ca-file`, `--cert-file` and `--key-file` name. Only their form is checked.
 *
 * @throws {GatewayError} `invalid-option` if one cannot be read or has no PEM, or a certificate has no key
 */
function readTlsFiles({ trustedCaFile, certFile, keyFile }: DiscoveryFlags): TlsFiles {
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new GatewayError(
      "invalid-option",
      "--cert-file and --key-file go together, and one of them is missing",
    );
  return {
    ...(trustedCaFile !== undefined && { ca: readPem("--trusted-ca-file", trustedCaFile, "CERTIFICATE") }),
    ...(certFile !== undefined && { cert: readPem("--cert-file", certFile, "CERTIFICATE") }),
    ...(keyFile !== undefined && { key: readPem("--key-file", keyFile, "PRIVATE KEY") }),
  };
}

function readPem(flag: string, path: string, kind: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const { detail } = GatewayError.from(cause, `${flag} ${quote(path)} cannot be read`);
    throw new GatewayError("invalid-option", detail, { cause });
  }
  if (text.includes("-----BEGIN ") && text.includes(`${kind}-----`)) return text;
  throw new GatewayError("invalid-option", `${flag} ${quote(path)} has no ${kind} in PEM`);
}

/** How long files must not change before they are used, in milliseconds: one of them may be half written. */
const settleMs = 2_000;
/** How often files are read where the file system reports no changes, in milliseconds. */
const pollMs = 5_000;

/** See {@link followFiles}. */
interface Following {
  readonly paths: readonly string[];
  /** The contents in use, in the order of the paths. */
  readonly current: () => readonly (string | undefined)[];
  /** Reads and uses the files. @throws {GatewayError} if they cannot be used; then nothing changes */
  readonly use: () => void;
  /** The files have changed and are used. */
  readonly onUsed: () => void;
  /** They have changed and cannot be used; called once for each reason. */
  readonly onProblem: (error: GatewayError) => void;
  readonly clock?: Clock;
}

/**
 * Uses files again when they have changed, until `signal` is aborted: written in place, replaced, or reached through a
 * link that has changed, as in Kubernetes' Secrets. They are used together, when none has changed for two seconds. If they
 * cannot be used, the old contents stay in use, and the files are tried again when they change.
 */
async function followFiles(following: Following, signal: AbortSignal): Promise<void> {
  const { paths, current, use, onUsed, onProblem, clock = systemClock } = following;
  let wake = (): void => {};
  const changes = paths.map(path => watchForChanges(path, () => wake()));
  const wait = (ms: number): Promise<void> =>
    new Promise(resolve => {
      const cancel = clock.after(ms, resolve);
      wake = () => {
        cancel();
        resolve();
      };
      if (signal.aborted) wake();
    });
  signal.addEventListener("abort", () => wake());
  let inUse = JSON.stringify(current());
  let seen = inUse;
  let sinceMs = clock.now();
  let reported = "";
  while (!signal.aborted) {
    await Promise.all(changes.map(change => change.watch()));
    const found = JSON.stringify(await Promise.all(paths.map(contentOf)));
    if (found !== seen) sinceMs = clock.now();
    seen = found;
    const leftMs = sinceMs + settleMs - clock.now();
    if (found === inUse) reported = "";
    else if (leftMs <= 0) {
      try {
        use();
        inUse = JSON.stringify(current());
        reported = "";
        onUsed();
      } catch (cause) {
        const error = GatewayError.from(cause, "reload");
        if (error.detail !== reported) onProblem(error);
        reported = error.detail;
      }
    }
    await wait(found !== inUse && leftMs > 0 ? leftMs : pollMs);
  }
  for (const change of changes) change.close();
}

/** The text of a file, or the code of the error: an object, so that no text can equal it. */
function contentOf(path: string): Promise<string | { readonly error: string }> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => ({ error: error.code ?? "" }));
}
