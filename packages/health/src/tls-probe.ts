import type { Socket } from "node:net";
import {
  type Clock,
  type Endpoint,
  formatAddress,
  GatewayError,
  startDeadline,
  systemClock,
} from "@gw/interface";
import { tlsProbeDefaults } from "./defaults.js";
import { type Dial, dialTcp } from "./dial-tcp.js";
import { answersPlaintext } from "./plaintext.js";
import { secureContext } from "./secure-context.js";
import { converse, type TlsVerdict } from "./tls-conversation.js";

/** Options of {@link tlsProbe}. */
export interface TlsProbeOptions {
  /**
   * PEM of the CAs that are trusted; nothing else is. As in Go, an intermediate CA, or a server's own
   * certificate, may stand for itself. @default Node's CAs
   */
  readonly ca?: string | Uint8Array | undefined;
  /** PEM of the client certificate, with its intermediates; needs `key`. @default none */
  readonly cert?: string | Uint8Array | undefined;
  /** PEM of the private key of `cert`. */
  readonly key?: string | Uint8Array | undefined;
  /** Names that a certificate may carry in place of the endpoint's host, as the discovery domain. @default none */
  readonly serverNames?: readonly string[] | undefined;
  /** Whether the certificate must be good; if not, what it says is told all the same. @default true */
  readonly verify?: boolean | undefined;
  /** How long everything may take, the dial included, in milliseconds. @default 5000 */
  readonly timeoutMs?: number | undefined;
  /** Connects; the socket returned belongs to the probe. @default net.connect */
  readonly dial?: Dial | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/**
 * A probe that completes a TLS handshake (1.2 or newer) with an endpoint, checks its certificate as etcd's
 * clients do, and waits until the server has accepted this side as well. The connection is closed afterwards.
 *
 * The certificate must lead to a trusted CA, be valid now and be made for servers; and name, among its subject
 * alternative names, the endpoint's host (without a trailing dot; an IP address as such) or one of
 * `serverNames`. The subject's common name does not count, as in Go. The name sent (SNI) is the host, or the
 * first of `serverNames` where the host is an IP address.
 *
 * What it rejects with is a GatewayError: `untrusted` when the endpoint answered, but not as it must (any fault
 * of the certificate, or no TLS at all); `certificate-refused` when it did not accept this side's certificate,
 * or that there was none; `aborted` by its signal; and else what keeps from telling: `refused`, `timed-out`,
 * `reset`, `name-not-resolved` and their like.
 *
 * @throws {GatewayError} `invalid-option`: `ca`, `cert` or `key` cannot be used
 */
export function tlsProbe(
  options: TlsProbeOptions = {},
): (endpoint: Endpoint, signal: AbortSignal) => Promise<TlsVerdict> {
  const { timeoutMs = tlsProbeDefaults.timeoutMs, clock = systemClock, dial = dialTcp } = options;
  if (!(timeoutMs > 0)) throw new GatewayError("invalid-option", `timeoutMs ${timeoutMs} is not positive`);
  const { verify = true, serverNames = [] } = options;
  const demands = { context: secureContext(options), serverNames, verify };
  return async (endpoint, signal) => {
    const doing = `TLS with ${formatAddress(endpoint)}`;
    const deadline = startDeadline(doing, { timeoutMs, clock, signal });
    const connected = (): Promise<Socket> =>
      deadline.bound(dial(endpoint, deadline.signal), late => late.destroy());
    try {
      const socket = await connected();
      try {
        return await converse(socket, { ...demands, endpoint, doing, signal: deadline.signal });
      } catch (cause) {
        // An etcd that expects plain text hangs up on TLS without a word, as one may that is about to end.
        const mute = cause instanceof GatewayError && cause.code === "reset" && socket.bytesRead === 0;
        if (!mute || !(await answersPlaintext(await connected(), deadline.signal))) throw cause;
        throw new GatewayError("untrusted", `${doing}: the server speaks plain text, not TLS`, { cause });
      }
    } catch (error) {
      throw GatewayError.from(error, doing);
    } finally {
      deadline.cancel();
    }
  };
}
