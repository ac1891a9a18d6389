import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Clock, type Endpoint, GatewayError, startDeadline, type Verdict } from "@gw/interface";
import type { Dial } from "./dial-tcp.js";
import { handshake } from "./handshake.js";
import { doingOf } from "./probing.js";
import { handshakeFailure } from "./tls-failure.js";
import type { TlsSide } from "./tls-side.js";
import { well } from "./verdict.js";

/**
 * How long a connection without TLS is watched for its end, in milliseconds: what accepts on behalf of a dead server
 * ends it at once.
 */
const watchMs = 300;

/**
 * Connects, completes a TLS handshake if `tls` is given, and closes the connection. Without TLS it waits for a moment
 * whether the server ends the connection before it has sent a byte: then it serves nobody.
 *
 * @throws {GatewayError} what dials and handshakes fail with; `reset`, `timed-out`
 */
export async function connecting(
  endpoint: Endpoint,
  tls: TlsSide | undefined,
  settings: {
    readonly dial: Dial;
    readonly clock: Clock;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  },
): Promise<Verdict> {
  const doing = doingOf(endpoint);
  const deadline = startDeadline(doing, settings);
  const { signal } = deadline;
  try {
    const tcp = await deadline.bound(settings.dial(endpoint, signal), late => late.destroy());
    // Nobody listens to it any more.
    tcp.on("error", () => {});
    if (!tls) {
      if (await endsUnanswered(tcp, settings.clock, signal)) throw unanswered(doing);
      return well("tcp");
    }
    const secure = await handshake(tcp, tls, { endpoint, doing, signal });
    await accepts(secure, doing, settings.clock, signal);
    return well("tls");
  } finally {
    deadline.cancel();
  }
}

/** What is wrong with an endpoint that ends a connection before it has sent a byte. */
export function unanswered(doing: string): GatewayError {
  return new GatewayError("reset", `${doing}: it ended the connection before it sent a byte`);
}

/** Whether the peer ends `socket` without a byte; closes it. Rejects with the reason of `signal` if that is not time. */
function endsUnanswered(socket: Socket, clock: Clock, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const settle = (settled: () => void): void => {
      stopTimer();
      signal.removeEventListener("abort", onAbort);
      socket.removeAllListeners().on("error", () => {});
      socket.destroy();
      settled();
    };
    const tell = (ends: boolean): void => settle(() => resolve(ends));
    // The time for the whole check may be shorter: the connection was made within it.
    const onAbort = (): void =>
      settle(() => {
        const { reason } = signal;
        if (reason instanceof GatewayError && reason.code === "timed-out") resolve(false);
        else reject(reason);
      });
    const stopTimer = clock.after(watchMs, () => tell(false));
    signal.addEventListener("abort", onAbort);
    socket.removeAllListeners("error");
    socket.once("data", () => tell(false));
    for (const event of ["end", "error", "close"]) socket.once(event, () => tell(socket.bytesRead === 0));
    if (signal.aborted) onAbort();
  });
}

/**
 * Waits for a moment whether the server refuses this side's certificate, which in TLS 1.3 it does after the handshake;
 * closes the connection, in a way that leaves no error in the server's log. Rejects if it does, or if `signal` is aborted
 * before.
 */
function accepts(socket: TLSSocket, doing: string, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (settled: () => void): void => {
      stopTimer();
      signal.removeEventListener("abort", onAbort);
      socket.removeAllListeners("end").removeAllListeners("close").removeAllListeners("error");
      socket.on("error", () => {}).destroySoon();
      settled();
    };
    const onAbort = (): void => {
      const { reason } = signal;
      const isLate = reason instanceof GatewayError && reason.code === "timed-out";
      settle(isLate ? resolve : () => reject(reason));
    };
    const stopTimer = clock.after(watchMs, () => settle(resolve));
    signal.addEventListener("abort", onAbort);
    socket.once("error", error => {
      const failure = handshakeFailure(doing, error, true);
      // A mere end says nothing: the server has shown that it is there.
      settle(failure.code === "certificate-refused" ? () => reject(failure) : resolve);
    });
    for (const event of ["end", "close"]) socket.once(event, () => settle(resolve));
    socket.resume();
    if (signal.aborted) onAbort();
  });
}
