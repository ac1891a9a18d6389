import type { SecureContext } from "node:tls";
import { secureContext } from "./secure-context.js";

/** Whom a probe trusts over TLS, and who it is. */
export interface TlsOptions {
  /**
   * PEM of the CAs that endpoints with TLS must have their certificate from, for their host or for one of
   * `serverNames`. Without it nobody's certificate is looked at: a probe asks how an endpoint is, and tells it
   * nothing. @default none
   */
  readonly ca?: string | Uint8Array | undefined;
  /** PEM of the client certificate, with its intermediates; needs `key`. @default none */
  readonly cert?: string | Uint8Array | undefined;
  /** PEM of the private key of `cert`. */
  readonly key?: string | Uint8Array | undefined;
  /** Names that a certificate may carry in place of the endpoint's host, as the discovery domain. @default none */
  readonly serverNames?: readonly string[] | undefined;
}

/** The same, checked. */
export interface TlsSide {
  readonly verify: boolean;
  readonly serverNames: readonly string[];
  context(): SecureContext;
}

/** @throws {GatewayError} `invalid-option` if `ca`, `cert` or `key` cannot be used */
export function tlsSide(options: TlsOptions): TlsSide {
  const { ca, cert, key, serverNames = [] } = options;
  // What is given is checked now; where nothing is, TLS may never be spoken.
  const given = [ca, cert, key].some(pem => pem !== undefined);
  let context = given ? secureContext(options) : undefined;
  return {
    verify: ca !== undefined,
    serverNames,
    context() {
      context ??= secureContext({});
      return context;
    },
  };
}
