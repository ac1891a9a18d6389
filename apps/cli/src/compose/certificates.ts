import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { watchForChanges } from "@gw/discovery";
import { type Clock, type Endpoint, GatewayError, quote, systemClock } from "@gw/interface";
import type { DiscoveryFlags } from "../flags/discovery.js";

/** What TLS towards endpoints is done with. */
export interface Certificates {
  /** What the files hold now. */
  readonly files: TlsFiles;
  /** Whether an endpoint may serve by its certificate; undefined where none was demanded. */
  readonly check: ((endpoint: Endpoint, signal: AbortSignal) => Promise<unknown>) | undefined;
  /**
   * Reads the files again.
   *
   * @throws {GatewayError} `invalid-option` if one cannot be used; then what was read before holds
   */
  reload(): void;
  /** Follows the files until `signal` is aborted, and uses them when they have changed and can be used. */
  follow(events: FollowEvents, signal: AbortSignal): void;
}

/** What becomes of certificate files that have changed. */
type FollowEvents = Pick<Following, "onUsed" | "onProblem">;

/**
 * Reads the files that the flags name.
 *
 * @param dial connects to an endpoint that is to be checked
 * @throws {GatewayError} `invalid-option` if one of them cannot be used
 */
export async function loadCertificates(
  flags: DiscoveryFlags,
  dial: (endpoint: Endpoint, signal: AbortSignal) => Promise<Socket>,
): Promise<Certificates> {
  const { trustedCaFile, certFile, keyFile, discoverySrv } = flags;
  // OpenSSL takes time and memory, which a gateway that never speaks TLS itself can do without.
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

/** PEM texts for TLS towards endpoints; what the user did not give is absent. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/**
 * Reads the files that `--trusted-ca-file`, `--cert-file` and `--key-file` name. What is in them is checked by
 * who uses it.
 *
 * @throws {GatewayError} `invalid-option` if one cannot be read or holds no PEM, or a certificate has no key
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
  throw new GatewayError("invalid-option", `${flag} ${quote(path)} holds no ${kind} in PEM`);
}

/** For how long files must stay as they are until they are used, in milliseconds: one of them may be half written. */
const settleMs = 2_000;
/** How often files are looked at where the file system tells of no changes, in milliseconds. */
const pollMs = 5_000;

/** What is done with files that have changed. */
interface Following {
  readonly paths: readonly string[];
  /** What the files hold that are in use, in the order of the paths. */
  readonly current: () => readonly (string | undefined)[];
  /** Uses what the files hold now. @throws {GatewayError} if it cannot be used; then what is in use stays */
  readonly use: () => void;
  /** The files have changed and are used. */
  readonly onUsed: () => void;
  /** They have changed and cannot be used; told once for each reason. */
  readonly onProblem: (error: GatewayError) => void;
  readonly clock?: Clock;
}

/**
 * Uses files anew when they have changed, until `signal` is aborted: written in place, replaced, or reached by a link
 * that was changed, as those of Kubernetes' Secrets. They are taken together when all have been the same for two
 * seconds. Those that cannot be used leave the old ones in use, and are tried again when they change.
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
  let told = "";
  while (!signal.aborted) {
    await Promise.all(changes.map(change => change.watch()));
    const found = JSON.stringify(await Promise.all(paths.map(contentOf)));
    if (found !== seen) sinceMs = clock.now();
    seen = found;
    const leftMs = sinceMs + settleMs - clock.now();
    if (found === inUse) told = "";
    else if (leftMs <= 0) {
      try {
        use();
        inUse = JSON.stringify(current());
        told = "";
        onUsed();
      } catch (cause) {
        const error = GatewayError.from(cause, "reload");
        if (error.detail !== told) onProblem(error);
        told = error.detail;
      }
    }
    await wait(found !== inUse && leftMs > 0 ? leftMs : pollMs);
  }
  for (const change of changes) change.close();
}

/** The text of a file; why there is none, as what cannot be in a file. */
function contentOf(path: string): Promise<string | { readonly error: string }> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => ({ error: error.code ?? "" }));
}
