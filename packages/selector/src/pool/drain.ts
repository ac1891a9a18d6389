import { type Clock, formatAddress, GatewayError, notify, type Observer, startTimeout } from "@gw/interface";
import type { PoolEntry } from "./entry.js";

/** What becomes of the connections of members that serve no more. */
export interface ClosingSettings extends FarewellSettings {
  readonly onRemoved: DrainPolicy;
  readonly onUnhealthy: DrainPolicy;
  readonly observer: Observer | undefined;
}

/** Closes the connections of members that are gone, or unhealthy, as it was asked for. */
export class Closings {
  readonly #settings: ClosingSettings;

  constructor(settings: ClosingSettings) {
    this.#settings = settings;
  }

  /** `member` is gone: dials to it end now, and its connections when it is time. */
  removed(member: PoolEntry): void {
    const { onRemoved, onUnhealthy } = this.#settings;
    const error = new GatewayError("aborted", `${formatAddress(member.endpoint)} is no longer an endpoint`);
    member.revokeDials(error);
    // What hangs would hang all through the drain.
    const hangs = member.aside?.unhealthy && onUnhealthy === "close";
    this.#close(member, hangs ? "close" : onRemoved, error);
  }

  /** `member` may be unhealthy; if it is used all the same, there is nowhere better for its connections. */
  assess(member: PoolEntry, isUsed: boolean): void {
    if (!member.aside?.unhealthy) return;
    if (isUsed) member.farewell.cancel();
    else if (!member.farewell.said) this.#close(member, this.#settings.onUnhealthy, member.aside.error);
  }

  #close(member: PoolEntry, how: DrainPolicy, error: GatewayError): void {
    const connections = member.connected.size;
    const withinMs = sayFarewell(member, how, error, this.#settings);
    const { endpoint } = member;
    if (withinMs > 0)
      notify(this.#settings.observer, "closingConnections", { endpoint, connections, withinMs, error });
  }
}

/**
 * What happens to the open connections of an endpoint that serves no more:
 *
 * - `drain`: they may end by themselves for a while; then they are closed, spread over the second half of it
 * - `close`: they are closed now, spread over up to a second when there are many
 * - `leave`: they live as long as they like
 */
export type DrainPolicy = "drain" | "close" | "leave";

/** How connections are closed. */
interface FarewellSettings {
  /** How long they may go on under `drain`, in milliseconds. */
  readonly drainTimeoutMs: number;
  readonly clock: Clock;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
}

/** Closing this many connections is spread over a second; fewer take less. */
const manyConnections = 100;

/**
 * Closes the connections of `member` in its own time, each at a moment of its own so that their clients do not
 * all come back at once. Tells within how many milliseconds; 0 if there is nothing to close.
 *
 * @param error what their holders are told
 */
function sayFarewell(
  member: PoolEntry,
  how: DrainPolicy,
  error: GatewayError,
  { drainTimeoutMs, clock, random }: FarewellSettings,
): number {
  member.farewell.cancel();
  const open = member.connected.items();
  if (open.length === 0 || how === "leave") return 0;
  const spreadMs = how === "drain" ? drainTimeoutMs / 2 : 1_000 * Math.min(1, open.length / manyConnections);
  const noSoonerMs = how === "drain" ? drainTimeoutMs / 2 : 0;
  let left = open.length;
  const waits = open.map(lease =>
    startTimeout(clock, noSoonerMs + spreadMs * random(), () => {
      left -= 1;
      if (left === 0) member.farewell.said = false;
      lease.revoke(error);
    }),
  );
  member.farewell.said = true;
  member.farewell.cancel = () => {
    for (const cancel of waits) cancel();
    member.farewell.said = false;
  };
  return noSoonerMs + spreadMs;
}
