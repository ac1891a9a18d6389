import type { Endpoint } from "@gw/interface";
import { GatewayError } from "@gw/interface";
import type { CertificateAuthority, EtcdCluster } from "@gw/testing";
import { type CertificateCheckOptions, certificateCheck, type ServerCertificate } from "../src/index.js";

export const day = 86_400_000;

/** An endpoint of 127.0.0.1, or of another host, that said it has TLS. */
export function secure(port: number, host = "127.0.0.1"): Endpoint {
  return Object.freeze({ host, port, priority: 0, weight: 0, secure: true });
}

/** The endpoint of a cluster of one. */
export function endpointOf({ endpoints }: EtcdCluster, host?: string): Endpoint {
  return secure(Number(endpoints.slice(endpoints.lastIndexOf(":") + 1)), host);
}

/** Checks a certificate once, with trust in `ca` alone. */
export function checkOnce(
  ca: CertificateAuthority,
  endpoint: Endpoint,
  options: CertificateCheckOptions = {},
): Promise<ServerCertificate> {
  return certificateCheck({ ca: ca.cert, ...options })(endpoint, new AbortController().signal);
}

/** The error message of a check; fails if it passes. */
export async function fault(checking: Promise<unknown>): Promise<string> {
  const error = await checking.then(
    () => "it passed",
    thrown => thrown,
  );
  if (!(error instanceof GatewayError)) throw new Error(`no GatewayError: ${error}`);
  return error.message;
}
