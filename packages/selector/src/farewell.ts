import { type Clock, formatAddress, GatewayError } from "@gw/interface";
import type { Member } from "./member.js";

/**
 * What happens to the open connections of an endpoint that is gone:
 *
 * - `drain`: they may end by themselves for a while; then they are closed, spread over the second half of it
 * - `close`: they are closed now, spread over up to a second when there are many
 * - `leave`: they live as long as they like
 */
export type OnRemoved = "drain" | "close" | "leave";

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
 */
export function sayFarewell(
  member: Member,
  onRemoved: OnRemoved,
  { drainTimeoutMs, clock, random }: FarewellSettings,
): number {
  const open = member.connected.items();
  if (open.length === 0 || onRemoved === "leave") return 0;
  const spreadMs =
    onRemoved === "drain" ? drainTimeoutMs / 2 : 1_000 * Math.min(1, open.length / manyConnections);
  const noSoonerMs = onRemoved === "drain" ? drainTimeoutMs / 2 : 0;
  const gone = new GatewayError("aborted", `${formatAddress(member.endpoint)} is no longer an endpoint`);
  const waits = open.map(lease => clock.after(noSoonerMs + spreadMs * random(), () => lease.revoke(gone)));
  member.farewell.cancel = () => {
    for (const cancel of waits) cancel();
  };
  return noSoonerMs + spreadMs;
}
