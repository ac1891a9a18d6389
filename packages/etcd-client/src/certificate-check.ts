import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import {
  type Clock,
  type Endpoint,
  formatAddress,
  GatewayError,
  startDeadline,
  systemClock,
} from "@gw/interface";
import { certificateFault, oneLine } from "./certificate.js";
import { createDial, type Dial } from "./dial.js";
import { startTls } from "./handshake.js";
import { createTlsContext, type TlsContext, type TlsOptions } from "./tls-context.js";
import { tlsError } from "./tls-errors.js";

/** What a server showed in its handshake. The strings are the certificate's: quote them before they are printed. */
export interface ServerCertificate {
  /** `TLSv1.2` or `TLSv1.3`. */
  readonly protocol: string;
  /** As `CN=etcd-0, O=example`; may be empty. */
  readonly subject: string;
  /** Its subject alternative names: `DNS:etcd-0.example.com`, `IP Address:10.0.0.1`. */
  readonly names: readonly string[];
  readonly issuer: string;
  readonly validFrom: Date;
  readonly validTo: Date;
}

/** Options of {@link certificateCheck}. */
export interface CertificateCheckOptions extends TlsOptions {
  /** How long everything may take, the dial included, in milliseconds. @default 5000 */
  readonly timeoutMs?: number | undefined;
  /** Connects; the socket returned belongs to the check. @default createDial() */
  readonly dial?: Dial | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/**
 * A check that completes a TLS handshake (1.2 or newer) with an endpoint, checks its certificate as etcd's clients do, and
 * waits until the server has accepted this side as well. It resolves with what the server showed, and closes the
 * connection. With `verify: false` any certificate passes.
 *
 * The certificate must lead to a trusted CA, be valid now and be issued for servers; and name, among its subject
 * alternative names, the endpoint's host (without a trailing dot; an IP address as such) or one of `serverNames`. The
 * subject's common name does not count, as in Go. The name sent (SNI) is the host, or the first of `serverNames` where
 * the host is an IP address.
 *
 * It rejects with a GatewayError: `untrusted` if the endpoint answered with a certificate that has any fault, or without
 * TLS; `certificate-refused` if it did not accept this side's certificate, or that there was none; `aborted` by its
 * signal; else what prevented the check: `refused`, `timed-out`, `reset`, `name-not-resolved` and the like.
 *
 * @throws {GatewayError} `invalid-option`: `ca`, `cert` or `key` cannot be used
 */
export function certificateCheck(
  options: CertificateCheckOptions = {},
): (endpoint: Endpoint, signal: AbortSignal) => Promise<ServerCertificate> {
  const { timeoutMs = 5_000, clock = systemClock, dial = createDial() } = options;
  if (!(timeoutMs > 0)) throw new GatewayError("invalid-option", `timeoutMs ${timeoutMs} is not positive`);
  const tls = createTlsContext(options);
  return async (endpoint, signal) => {
    const operation = `TLS with ${formatAddress(endpoint)}`;
    const deadline = startDeadline(operation, { timeoutMs, clock, signal });
    const connect = (): Promise<Socket> =>
      deadline.bound(dial(endpoint, deadline.signal), late => late.destroy());
    try {
      const tcp = await connect();
      try {
        return await inspect(tcp, tls, endpoint, { operation, signal: deadline.signal });
      } catch (cause) {
        // An etcd that expects plain text closes a TLS connection without a byte, as a server that is stopping may.
        const isMute = cause instanceof GatewayError && cause.code === "reset" && tcp.bytesRead === 0;
        if (!isMute || !(await answersPlainText(await connect(), deadline.signal))) throw cause;
        throw new GatewayError("untrusted", `${operation}: the server speaks plain text, not TLS`, { cause });
      }
    } catch (error) {
      throw GatewayError.from(error, operation);
    } finally {
      deadline.cancel();
    }
  };
}

/**
 * Speaks TLS over `tcp`, which it closes, until the server has shown a valid certificate and answered.
 *
 * The answer is needed because of TLS 1.3, where this side's handshake is complete before the server has checked the
 * client certificate: a refusal comes later. So a request is sent, and the first byte of the response is the proof. If
 * HTTP/2 was negotiated, the request is HTTP/2's preface, which every gRPC server, and so every etcd, answers at once;
 * else a small HTTP/1.1 request. A server that neither answers nor closes the connection in time passes too: it has shown
 * its certificate, and whether it works is not checked here.
 */
function inspect(
  tcp: Socket,
  tls: TlsContext,
  endpoint: Endpoint,
  { operation, signal }: { readonly operation: string; readonly signal: AbortSignal },
): Promise<ServerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = startTls(tcp, tls, endpoint, ["h2", "http/1.1"]);
    let shown: ServerCertificate | undefined;
    const settle = (conclude: () => void): void => {
      signal.removeEventListener("abort", onAbort);
      socket.removeAllListeners().on("error", () => {});
      tcp.on("error", () => {});
      if (shown) socket.destroySoon();
      else socket.destroy();
      conclude();
    };
    const fail = (error: unknown): void => settle(() => reject(error));
    const pass = (certificate: ServerCertificate): void => settle(() => resolve(certificate));
    const onAbort = (): void => (shown ? pass(shown) : fail(signal.reason));
    signal.addEventListener("abort", onAbort);
    socket.once("secureConnect", () => {
      // Read once only: Node removes the certificate from the chain, and returns none the second time.
      const certificate = socket.getPeerX509Certificate();
      const fault = tls.verify ? certificateFault(socket, certificate, endpoint, tls) : undefined;
      if (!certificate || fault)
        return fail(
          new GatewayError("untrusted", `${operation}: ${fault ?? "the server showed no certificate"}`),
        );
      shown = shownBy(socket, certificate);
      socket.write(socket.alpnProtocol === "h2" ? http2Preface : http1Request);
    });
    socket.once("data", () => shown && pass(shown));
    socket.once("error", error => fail(tlsError(operation, error, shown !== undefined)));
    socket.once("close", () => fail(tlsError(operation, undefined, shown !== undefined)));
    socket.resume();
  });
}

function shownBy(socket: TLSSocket, certificate: X509Certificate): ServerCertificate {
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

/**
 * Whether a server answers a request in plain text, as an etcd without TLS does. A TLS alert or HTTP's "400 Bad Request",
 * which TLS servers send, are no such answer. Never rejects; closes `socket`.
 */
function answersPlainText(socket: Socket, signal: AbortSignal): Promise<boolean> {
  return new Promise(resolve => {
    const end = (answers: boolean): void => {
      signal.removeEventListener("abort", giveUp);
      socket.destroy();
      resolve(answers);
    };
    const giveUp = (): void => end(false);
    signal.addEventListener("abort", giveUp);
    socket.once("data", (data: Buffer) =>
      end(data[0] !== tlsAlert && !/^HTTP\/1\.\d 400 /.test(data.toString())),
    );
    socket.once("close", giveUp);
    socket.on("error", giveUp);
    socket.write(http1Request);
    socket.resume();
    if (signal.aborted) giveUp();
  });
}

/** The type of a TLS record that holds an alert (RFC 8446, 5.1). */
const tlsAlert = 0x15;
