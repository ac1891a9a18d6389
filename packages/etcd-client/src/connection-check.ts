import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Clock, type Endpoint, GatewayError, startDeadline } from "@gw/interface";
import { type Dial, dialClient } from "./dial.js";
import { handshake } from "./handshake.js";
import type { TlsContext } from "./tls-context.js";
import { tlsError } from "./tls-errors.js";

/**
 * For how long an idle connection is watched, in milliseconds: what accepts connections on behalf of a dead server ends
 * them at once, and so does a server that refuses this side's certificate in TLS 1.3.
 */
const watchMs = 300;

/** Options of {@link checkConnection}. */
export interface ConnectionCheckOptions {
  /** Without it, the connection stays plain TCP. */
  readonly tls?: TlsContext | undefined;
  readonly dial: Dial;
  readonly clock: Clock;
  /** For the dial and the handshake, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** What errors begin with. */
  readonly operation: string;
}

/**
 * Connects, completes a TLS handshake if `tls` is given, and closes the connection. Resolves if the server keeps the
 * connection open for 300 ms, or for the rest of the timeout. Without TLS, a byte from the server counts as well.
 *
 * @throws {GatewayError} `reset` if the server ends the connection before it has sent a byte; `certificate-refused`;
 *   `timed-out`, `aborted`; and what dials and handshakes fail with
 */
export async function checkConnection(endpoint: Endpoint, options: ConnectionCheckOptions): Promise<void> {
  const { tls, dial, clock, operation } = options;
  const deadline = startDeadline(operation, options);
  const { signal } = deadline;
  try {
    const tcp = await dialClient(dial, endpoint, deadline);
    // Errors between two listeners are of no interest.
    tcp.on("error", () => {});
    if (!tls) {
      if (await endsUnanswered(tcp, clock, signal)) throw unanswered(operation);
      return;
    }
    const socket = await handshake(tcp, tls, endpoint, { operation, signal });
    await acceptsCertificate(socket, operation, clock, signal);
  } finally {
    deadline.cancel();
  }
}

/** The error of an endpoint that ends a connection before it has sent a byte. */
export function unanswered(operation: string): GatewayError {
  return new GatewayError("reset", `${operation}: it ended the connection before it sent a byte`);
}

/** Whether the server ends `socket` without a byte; closes it. Rejects with the reason of `signal` unless it timed out. */
function endsUnanswered(socket: Socket, clock: Clock, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const settle = (conclude: () => void): void => {
      stopWatching();
      socket.removeAllListeners().on("error", () => {});
      socket.destroy();
      conclude();
    };
    const end = (isUnanswered: boolean): void => settle(() => resolve(isUnanswered));
    const stopWatching = watch(clock, signal, {
      onOver: () => end(false),
      onAbort: reason => settle(() => reject(reason)),
    });
    socket.removeAllListeners("error");
    socket.once("data", () => end(false));
    for (const event of ["end", "error", "close"]) socket.once(event, () => end(socket.bytesRead === 0));
  });
}

/**
 * Waits whether the server refuses this side's certificate, then closes the connection without leaving an error in the
 * server's log. Rejects if it does, or with the reason of `signal` unless it timed out.
 */
function acceptsCertificate(
  socket: TLSSocket,
  operation: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (conclude: () => void): void => {
      stopWatching();
      socket.removeAllListeners("end").removeAllListeners("close").removeAllListeners("error");
      socket.on("error", () => {}).destroySoon();
      conclude();
    };
    const stopWatching = watch(clock, signal, {
      onOver: () => settle(resolve),
      onAbort: reason => settle(() => reject(reason)),
    });
    socket.once("error", error => {
      const failure = tlsError(operation, error, true);
      // Any other end proves nothing against the server: it has completed the handshake.
      settle(failure.code === "certificate-refused" ? () => reject(failure) : resolve);
    });
    for (const event of ["end", "close"]) socket.once(event, () => settle(resolve));
    socket.resume();
  });
}

/**
 * Calls `onOver` once when {@link watchMs} have passed, or when `signal` timed out before: the connection was made in
 * time. Calls `onAbort` if it was aborted otherwise. Returns what cancels both.
 */
function watch(
  clock: Clock,
  signal: AbortSignal,
  { onOver, onAbort }: { readonly onOver: () => void; readonly onAbort: (reason: unknown) => void },
): () => void {
  const abort = (): void => {
    const { reason } = signal;
    if (reason instanceof GatewayError && reason.code === "timed-out") onOver();
    else onAbort(reason);
  };
  let isStopped = false;
  const stopTimer = clock.after(watchMs, onOver);
  signal.addEventListener("abort", abort);
  if (signal.aborted) queueMicrotask(() => isStopped || abort());
  return () => {
    isStopped = true;
    stopTimer();
    signal.removeEventListener("abort", abort);
  };
}
