import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Endpoint, GatewayError, serverNameOf } from "@gw/interface";
import { nodeTls } from "./lazily.js";

import { handshakeFailure, serverFault } from "./tls-failure.js";
import type { TlsSide } from "./tls-side.js";

/**
 * Begins TLS over `tcp`, to speak HTTP/1.1. The socket returned belongs to the caller, and `tcp` with it; after a
 * failure both are closed.
 *
 * With TLS 1.3 the server may still refuse this side's certificate, when it is read from for the first time.
 *
 * @throws {GatewayError} `untrusted`, `certificate-refused`, `reset`; or the reason of `signal`
 */
export function handshake(
  tcp: Socket,
  tls: TlsSide,
  {
    endpoint,
    doing,
    signal,
  }: { readonly endpoint: Endpoint; readonly doing: string; readonly signal: AbortSignal },
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = nodeTls().connect({
      socket: tcp,
      secureContext: tls.context(),
      minVersion: "TLSv1.2",
      ALPNProtocols: ["http/1.1"],
      servername: serverNameOf([endpoint.host, ...tls.serverNames]),
      // Judged below, where the certificate can still be looked at. Nothing is sent before.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
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
    const onError = (error: unknown): void => fail(handshakeFailure(doing, error, false));
    const onClose = (): void => fail(handshakeFailure(doing, undefined, false));
    signal.addEventListener("abort", giveUp);
    socket.on("error", onError).on("close", onClose);
    socket.once("secureConnect", () => {
      const certificate = tls.verify ? socket.getPeerX509Certificate() : undefined;
      const fault = tls.verify
        ? serverFault(socket, certificate, { endpoint, serverNames: tls.serverNames })
        : undefined;
      if (fault !== undefined) return fail(new GatewayError("untrusted", `${doing}: ${fault}`));
      settle();
      resolve(socket);
    });
    if (signal.aborted) giveUp();
  });
}
