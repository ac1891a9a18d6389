import type { Clock, Endpoint, Verdict } from "@gw/interface";
import { startDeadline } from "./deadline.js";
import type { Dial } from "./dial-tcp.js";
import { handshake } from "./handshake.js";
import { doingOf } from "./probing.js";
import type { TlsSide } from "./tls-side.js";
import { well } from "./verdict.js";

/**
 * Connects, completes a TLS handshake if `tls` is given, and closes the connection.
 *
 * @throws {GatewayError} what dials and handshakes fail with; `timed-out`
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
      tcp.destroy();
      return well("tcp");
    }
    (await handshake(tcp, tls, { endpoint, doing, signal })).on("error", () => {}).destroy();
    return well("tls");
  } finally {
    deadline.cancel();
  }
}
