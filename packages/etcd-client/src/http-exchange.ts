import type { Agent, IncomingMessage } from "node:http";
import { type Clock, type Endpoint, formatAddress, GatewayError } from "@gw/interface";
import { tlsError } from "./tls-errors.js";

/** One request. */
export interface HttpRequest {
  /** Starts with `/`. */
  readonly path: string;
  /** JSON to post. @default none, for a GET */
  readonly body?: string | undefined;
  /** The value of the header `authorization`. @default none */
  readonly authorization?: string | undefined;
}

/** A response, whatever its status. Redirects are not followed. */
export interface HttpResponse {
  readonly status: number;
  readonly text: string;
  /** Whether the connection was new, so that a server that has been restarted may have answered. */
  readonly isFresh: boolean;
  /**
   * From sending the request, on a connection that was open by then, to the head of the response, in milliseconds: without
   * the dial and the TLS handshake.
   */
  readonly roundTripMs: number;
  /** The address at which the server was reached, and the one of this side of the connection. */
  readonly remoteAddress: string;
  readonly localAddress: string;
}

/** A kept connection turned out to be closed, which proves nothing against the server. */
export class StaleConnection extends Error {}

const maxHeaderBytes = 16 * 1024;

/** Bounds of an exchange. */
export interface ExchangeLimits {
  /** The longest body of a response. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/**
 * Sends one request on the agent's connection, or on a new one. Rejects with the reason of `signal`, with a
 * {@link StaleConnection}, with a GatewayError if the response is too large, or with Node's error.
 */
export function exchange(
  agent: Agent,
  endpoint: Endpoint,
  { path, body, authorization }: HttpRequest,
  { maxBytes, signal, clock }: ExchangeLimits,
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    let sentAt = clock.now();
    const request = process.getBuiltinModule("node:http").request({
      agent,
      method: body === undefined ? "GET" : "POST",
      path,
      maxHeaderSize: maxHeaderBytes,
      headers: {
        // A zone means nothing to others (RFC 6874, 1).
        host: formatAddress({ ...endpoint, host: endpoint.host.replace(/%.*$/s, "") }),
        ...(authorization !== undefined && { authorization }),
        ...(body !== undefined && {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
        }),
      },
    });
    const giveUp = (): void => {
      reject(signal.reason);
      request.destroy();
    };
    const settle = (): void => signal.removeEventListener("abort", giveUp);
    signal.addEventListener("abort", giveUp);
    request.on("error", error => {
      settle();
      reject(request.reusedSocket && isClosed(error) ? new StaleConnection() : error);
    });
    request.once("upgrade", (_, socket) => {
      settle();
      socket.destroy();
      reject(new GatewayError("unhealthy", "it answers with another protocol"));
    });
    // Node sends the request in the same tick, on a socket that is connected.
    request.once("socket", () => {
      sentAt = clock.now();
    });
    request.once("response", response => {
      const roundTripMs = clock.now() - sentAt;
      const { remoteAddress = "", localAddress = "" } = response.socket;
      const status = response.statusCode ?? 0;
      const isFresh = !request.reusedSocket;
      read(response, maxBytes)
        .then(text => ({ status, text, isFresh, roundTripMs, remoteAddress, localAddress }))
        .then(resolve, reject)
        .finally(settle);
    });
    request.end(body);
    if (signal.aborted) giveUp();
  });
}

async function read(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes)
      throw new GatewayError("unhealthy", `its answer is larger than ${sizeOf(maxBytes)}`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function sizeOf(bytes: number): string {
  const mebibyte = 1024 * 1024;
  return bytes % mebibyte === 0 ? `${bytes / mebibyte} MiB` : `${bytes / 1024} KiB`;
}

function isClosed(error: Error): boolean {
  return "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}

/**
 * Why a request failed, as a GatewayError.
 *
 * @param operation what its message begins with
 * @param secure whether the request was made over TLS
 */
export function httpError(error: unknown, operation: string, secure: boolean): GatewayError {
  if (error instanceof GatewayError)
    return error.detail.startsWith(operation)
      ? error
      : new GatewayError(error.code, `${operation}: ${error.detail}`, { cause: error });
  const { code = "", rawPacket } = error as { readonly code?: string; readonly rawPacket?: Buffer };
  const failed = (fault: "unhealthy" | "untrusted", what: string): GatewayError =>
    new GatewayError(fault, `${operation}: ${what}`, { cause: error });
  if (!secure && rawPacket?.[0] === tlsAlert) return failed("untrusted", "it speaks TLS, not plain text");
  if (code === "HPE_HEADER_OVERFLOW") return failed("unhealthy", "the headers of its answer do not end");
  if (code.startsWith("HPE_")) return failed("unhealthy", `its answer is not HTTP (${code})`);
  // With TLS 1.3, the refusal of a client certificate comes with the first response.
  if (secure) return tlsError(operation, error, true);
  return GatewayError.from(error, operation);
}

/** The type of a TLS record that holds an alert (RFC 8446, 5.1). */
const tlsAlert = 0x15;
