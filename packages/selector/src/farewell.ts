import { type Clock, type GatewayError, startTimeout } from "@gw/interface";
import type { PoolEntry } from "./member.js";

/**
 * What happens to the open connections of an endpoint that serves no more:
 *
 * - `drain`: they may end by themselves for a while; then they are closed, spread over the second half of it
 * - `close`: they are closed now, spread over up to a second when there are many
 * - `leave`: they live as long as they like
 */
export type DrainPolicy = "drain" | "close" | "leave";

/** How connections are closed. */
export interface FarewellSettings {
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
export function sayFarewell(
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
