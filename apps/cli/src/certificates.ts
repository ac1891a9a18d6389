import type { Socket } from "node:net";
import type { Endpoint } from "@gw/interface";
import type { DiscoveryFlags } from "./flags/discovery.js";
import { type Following, followFiles } from "./follow-files.js";
import { readTlsFiles, type TlsFiles } from "./tls-files.js";

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
  const { tlsProbe } = await import("@gw/health");
  const serverNames = discoverySrv === undefined ? [] : [discoverySrv];
  const read = () => {
    const files = readTlsFiles(flags);
    return { files, probe: tlsProbe({ ...files, serverNames, dial }) };
  };
  let current = read();
  return {
    get files() {
      return current.files;
    },
    check: trustedCaFile === undefined ? undefined : (endpoint, signal) => current.probe(endpoint, signal),
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
