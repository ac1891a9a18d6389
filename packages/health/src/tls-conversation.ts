import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import type { SecureContext, TLSSocket } from "node:tls";
import { type Endpoint, GatewayError, serverNameOf } from "@gw/interface";
import { nodeTls } from "./lazily.js";

import { handshakeFailure, oneLine, serverFault } from "./tls-failure.js";

/** What a server showed that passed. The strings are the certificate's: quote them before they are printed. */
export interface TlsVerdict {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly protocol: string;
  /** As `CN=etcd-0, O=example`; may be empty. */
  readonly subject: string;
  /** Whom the certificate is for: `DNS:etcd-0.example.com`, `IP Address:10.0.0.1`. */
  readonly names: readonly string[];
  readonly issuer: string;
  readonly validFrom: Date;
  readonly validTo: Date;
}

/** With whom, and what is demanded. */
export interface Conversation {
  readonly endpoint: Endpoint;
  /** What errors begin with. */
  readonly doing: string;
  readonly context: SecureContext;
  readonly serverNames: readonly string[];
  /** Whether the certificate must be good. */
  readonly verify: boolean;
  /** Gives up; its reason is what is thrown. */
  readonly signal: AbortSignal;
}

/**
 * Talks TLS over `tcp`, which it closes, until the server has shown a good certificate and answered.
 *
 * The answer is needed because of TLS 1.3, where this side's handshake is over before the server has seen its
 * client certificate: a refusal comes later. So a question is asked, and its answer, the first byte of it,
 * is what tells. Where HTTP/2 was agreed on, the question is the preface of HTTP/2, which every gRPC server,
 * and so every etcd, answers at once; elsewhere it is a small HTTP/1.1 request. A server that neither answers
 * nor hangs up until the time is up passes too: it has shown who it is, and whether it works is not asked here.
 *
 * @throws {GatewayError} as said of `tlsProbe`; and what handshakes throw
 */
export function converse(tcp: Socket, conversation: Conversation): Promise<TlsVerdict> {
  const { endpoint, doing, context, serverNames, verify, signal } = conversation;
  return new Promise((resolve, reject) => {
    const socket = nodeTls().connect({
      socket: tcp,
      secureContext: context,
      minVersion: "TLSv1.2",
      ALPNProtocols: ["h2", "http/1.1"],
      servername: serverNameOf([endpoint.host, ...serverNames]),
      // Judged below, where the certificate can still be looked at. Nothing is sent before.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    let verdict: TlsVerdict | undefined;
    const end = (settle: () => void): void => {
      signal.removeEventListener("abort", onAbort);
      socket.removeAllListeners().on("error", () => {});
      tcp.on("error", () => {});
      if (verdict) socket.destroySoon();
      else socket.destroy();
      settle();
    };
    const fail = (error: unknown): void => end(() => reject(error));
    const pass = (shown: TlsVerdict): void => end(() => resolve(shown));
    const onAbort = (): void => (verdict ? pass(verdict) : fail(signal.reason));
    signal.addEventListener("abort", onAbort);
    socket.once("secureConnect", () => {
      // Asked for once only: Node takes the certificate out of the chain, and then has it no more.
      const certificate = socket.getPeerX509Certificate();
      const fault = verify ? serverFault(socket, certificate, conversation) : undefined;
      if (!certificate || fault)
        return fail(
          new GatewayError("untrusted", `${doing}: ${fault ?? "the server showed no certificate"}`),
        );
      verdict = verdictOn(socket, certificate);
      socket.write(question(socket));
    });
    socket.once("data", () => verdict && pass(verdict));
    socket.once("error", error => fail(handshakeFailure(doing, error, verdict !== undefined)));
    socket.once("close", () => fail(handshakeFailure(doing, undefined, verdict !== undefined)));
    socket.resume();
  });
}

function verdictOn(socket: TLSSocket, certificate: X509Certificate): TlsVerdict {
  return {
    protocol: socket.getProtocol() ?? "",
    subject: oneLine(certificate.subject),
    names: certificate.subjectAltName?.split(", ") ?? [],
    issuer: oneLine(certificate.issuer),
    validFrom: new Date(certificate.validFrom),
    validTo: new Date(certificate.validTo),
  };
}

/** RFC 9113, 3.4: the client's preface, and an empty SETTINGS frame. */
const http2Preface = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);
const http1Request = "GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

function question(socket: TLSSocket): Buffer | string {
  return socket.alpnProtocol === "h2" ? http2Preface : http1Request;
}
