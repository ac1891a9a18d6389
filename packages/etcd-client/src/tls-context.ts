import type { SecureContext } from "node:tls";
import { GatewayError, messageOf } from "@gw/interface";

type Pem = string | Uint8Array;

/** Whom this side trusts over TLS, and who it is. */
export interface TlsOptions {
  /**
   * PEM of the CAs that are trusted; nothing else is. As in Go, an intermediate CA, or a server's own certificate, may
   * stand for itself. @default Node's CAs
   */
  readonly ca?: Pem | undefined;
  /** PEM of the client certificate, with its intermediates; needs `key`. @default none */
  readonly cert?: Pem | undefined;
  /** PEM of the private key of `cert`. */
  readonly key?: Pem | undefined;
  /** Names that a certificate may carry instead of the endpoint's host, such as the discovery domain. @default none */
  readonly serverNames?: readonly string[] | undefined;
  /** Whether the server's certificate is checked. @default true */
  readonly verify?: boolean | undefined;
}

/** The same, checked and ready for handshakes. */
export interface TlsContext {
  readonly verify: boolean;
  readonly serverNames: readonly string[];
  /** OpenSSL's context: created at the first call if no PEM was given, as TLS may never be spoken then. */
  secureContext(): SecureContext;
}

/** @throws {GatewayError} `invalid-option` if `ca`, `cert` or `key` cannot be used */
export function createTlsContext(options: TlsOptions): TlsContext {
  const { ca, cert, key, serverNames = [], verify = true } = options;
  const isGiven = [ca, cert, key].some(pem => pem !== undefined);
  let context = isGiven ? createSecureContext(options) : undefined;
  return {
    verify,
    serverNames,
    secureContext() {
      context ??= createSecureContext({});
      return context;
    },
  };
}

/** @throws {GatewayError} `invalid-option` where OpenSSL would ignore a fault, or would not explain it */
function createSecureContext({ ca, cert, key }: TlsOptions): SecureContext {
  if ((cert === undefined) !== (key === undefined))
    throw invalid(
      key === undefined ? "the client certificate has no key" : "the client's key has no certificate",
    );
  const cas = ca === undefined ? undefined : certificatesIn(ca, "the trusted CAs");
  if (cert !== undefined) certificatesIn(cert, "the client certificate");
  try {
    return process.getBuiltinModule("node:tls").createSecureContext({
      minVersion: "TLSv1.2",
      ...(cas && { ca: [...cas], allowPartialTrustChain: true }),
      ...(cert !== undefined && key !== undefined && { cert: textOf(cert), key: textOf(key) }),
    });
  } catch (error) {
    throw invalid(`the client certificate and its key cannot be used: ${messageOf(error)}`, error);
  }
}

/** Each certificate of a PEM by itself. @throws if there is none, or one that cannot be read */
function certificatesIn(pem: Pem, what: string): readonly string[] {
  const found = textOf(pem)
    .split(/(?=-----BEGIN )/)
    .filter(part => /^-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/.test(part));
  if (found.length === 0) throw invalid(`${what}: there is no PEM certificate in it`);
  const { X509Certificate } = process.getBuiltinModule("node:crypto");
  for (const [index, one] of found.entries())
    try {
      new X509Certificate(one);
    } catch (error) {
      throw invalid(`${what}: certificate ${index + 1} cannot be read: ${messageOf(error)}`, error);
    }
  return found;
}

function textOf(pem: Pem): string {
  return typeof pem === "string" ? pem : Buffer.from(pem).toString("utf8");
}

function invalid(detail: string, cause?: unknown): GatewayError {
  return new GatewayError("invalid-option", detail, { cause });
}
