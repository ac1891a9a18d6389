import type { Endpoint } from "@gw/interface";
import { GatewayError } from "@gw/interface";
import type { CertificateAuthority, EtcdCluster } from "@gw/testing";
import { type TlsProbeOptions, type TlsVerdict, tlsProbe } from "../src/index.js";

export const day = 86_400_000;

/** An endpoint of 127.0.0.1, or of another host, that said it has TLS. */
export function secure(port: number, host = "127.0.0.1"): Endpoint {
  return Object.freeze({ host, port, priority: 0, weight: 0, secure: true });
}

/** The endpoint of a cluster of one. */
export function endpointOf({ endpoints }: EtcdCluster, host?: string): Endpoint {
  return secure(Number(endpoints.slice(endpoints.lastIndexOf(":") + 1)), host);
}

/** Probes once, with the trust in `ca` alone. */
export function probe(
  ca: CertificateAuthority,
  endpoint: Endpoint,
  options: TlsProbeOptions = {},
): Promise<TlsVerdict> {
  return tlsProbe({ ca: ca.cert, ...options })(endpoint, new AbortController().signal);
}

/** What a probe has against an endpoint, its message; fails if it has nothing. */
export async function fault(probing: Promise<unknown>): Promise<string> {
  const error = await probing.then(
    () => "it passed",
    thrown => thrown,
  );
  if (!(error instanceof GatewayError)) throw new Error(`no GatewayError: ${error}`);
  return error.message;
}
