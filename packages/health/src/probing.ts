import {
  type Clock,
  type Endpoint,
  formatAddress,
  GatewayError,
  type Probe,
  systemClock,
  type Verdict,
} from "@gw/interface";
import { probeDefaults } from "./defaults.js";
import { type Dial, dialTcp } from "./dial-tcp.js";
import { failed } from "./verdict.js";

/** What all probes can be told. */
export interface ProbeOptions {
  /** How long one look may take, the dial included, in milliseconds. @default 2000 */
  readonly timeoutMs?: number | undefined;
  /** Connects; the socket returned belongs to the probe, and may be paused and half-open. @default net.connect */
  readonly dial?: Dial | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** A probe that keeps connections between two looks. */
export interface KeptProbe extends Probe {
  /** Closes them. A look that is asked for later opens them again. */
  close(): void;
}

/** @throws {GatewayError} `invalid-option` */
export function probeSettings({ timeoutMs = probeDefaults.timeoutMs, dial, clock }: ProbeOptions): {
  readonly timeoutMs: number;
  readonly dial: Dial;
  readonly clock: Clock;
} {
  if (!(timeoutMs > 0 && timeoutMs < 2 ** 31))
    throw new GatewayError("invalid-option", `timeoutMs ${timeoutMs} is not more than 0 and less than 2³¹`);
  return { timeoutMs, dial: asClient(dial ?? dialTcp), clock: clock ?? systemClock };
}

/**
 * Dials for a client of Node's own: it reads, and it is over when the server has ended. Who dials for a proxy may have
 * made sockets otherwise.
 */
function asClient(dial: Dial): Dial {
  return async (endpoint, signal) => {
    const socket = await dial(endpoint, signal);
    socket.allowHalfOpen = false;
    return socket.resume();
  };
}

/** Makes what `look` throws a verdict of `level`, unless the look was given up. */
export function probing(level: string, look: Probe): Probe {
  return async (endpoint, signal): Promise<Verdict> => {
    const doing = doingOf(endpoint);
    const givenUp = (): GatewayError =>
      new GatewayError("aborted", `${doing}: given up`, { cause: signal.reason });
    if (signal.aborted) throw givenUp();
    const verdict = await look(endpoint, signal).catch((error: unknown) =>
      failed(level, GatewayError.from(error, doing)),
    );
    if (signal.aborted) throw givenUp();
    return verdict;
  };
}

/** What errors of a look begin with. */
export function doingOf(endpoint: Endpoint): string {
  return `probe ${formatAddress(endpoint)}`;
}
