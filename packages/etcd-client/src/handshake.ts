import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Endpoint, GatewayError, serverNameOf } from "@gw/interface";
import { certificateFault } from "./certificate.js";
import type { TlsContext } from "./tls-context.js";
import { tlsError } from "./tls-errors.js";

/**
 * Starts TLS over `tcp`. The certificate is not checked yet: the caller does that at `secureConnect`, before it sends
 * anything, since it can explain a fault only while it has the certificate.
 *
 * @param protocols for ALPN, best first
 */
export function startTls(
  tcp: Socket,
  tls: TlsContext,
  endpoint: Endpoint,
  protocols: readonly string[],
): TLSSocket {
  return process.getBuiltinModule("node:tls").connect({
    socket: tcp,
    secureContext: tls.secureContext(),
    minVersion: "TLSv1.2",
    ALPNProtocols: [...protocols],
    servername: serverNameOf([endpoint.host, ...tls.serverNames]),
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
}

/**
 * Completes a TLS handshake over `tcp` for HTTP/1.1, and checks the server's certificate. The socket returned belongs to
 * the caller, and `tcp` with it; after a failure both are closed.
 *
 * With TLS 1.3 the server may still refuse this side's certificate, at the first read.
 *
 * @param operation what errors begin with
 * @throws {GatewayError} `untrusted`, `certificate-refused`, `reset`; or the reason of `signal`
 */
export function handshake(
  tcp: Socket,
  tls: TlsContext,
  endpoint: Endpoint,
  { operation, signal }: { readonly operation: string; readonly signal: AbortSignal },
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = startTls(tcp, tls, endpoint, ["http/1.1"]);
    const settle = (): void => {
      signal.removeEventListener("abort", giveUp);
      socket.off("error", onError).off("close", onClose);
    };
    const fail = (error: unknown): void => {
      settle();
      socket.on("error", () => {}).destroy();
      tcp.on("error", () => {});
      reject(error);
    };
    const giveUp = (): void => fail(signal.reason);
    const onError = (error: unknown): void => fail(tlsError(operation, error, false));
    const onClose = (): void => fail(tlsError(operation, undefined, false));
    signal.addEventListener("abort", giveUp);
    socket.on("error", onError).on("close", onClose);
    socket.once("secureConnect", () => {
      const fault = tls.verify
        ? certificateFault(socket, socket.getPeerX509Certificate(), endpoint, tls)
        : undefined;
      if (fault !== undefined) return fail(new GatewayError("untrusted", `${operation}: ${fault}`));
      settle();
      resolve(socket);
    });
    if (signal.aborted) giveUp();
  });
}
