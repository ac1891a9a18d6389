import { type Clock, GatewayError, notify, type Observer } from "@gw/interface";
import type { PoolEntry, Revocable } from "./entry.js";
import { tenthsOfSeconds } from "./lease.js";

/** When connections are too old. */
export interface AgingSettings {
  /** In milliseconds, a tenth more or less; 0 for never. */
  readonly maxConnectionAgeMs: number;
  readonly observer: Observer | undefined;
  readonly clock: Clock;
  /** A number in [0, 1), for jitter. */
  readonly random: () => number;
}

/** The part of the age by which a connection may be closed sooner, or later. */
const jitterPart = 0.1;
/** How often one looks, at least that often while connections grow old: ten times, and once a second. */
const looks = 10;
const longestTickMs = 1_000;
/** A look that is later than this comes after a pause of this process, in milliseconds. */
const toleranceMs = 1_000;

/** Closes connections by their age. */
export interface Aging {
  /** The time at which a connection is made, in milliseconds, as its age is counted. */
  now(): number;
  stop(): void;
}

/**
 * Closes connections that have grown old. They were opened in bursts, say when a gateway began, and are not to be
 * closed so: from 90 % to 110 % of the age any moment is as likely as another.
 *
 * A pause of this process does not count, since all that grew too old meanwhile would be closed at once after it.
 *
 * @param members those whose connections are looked at
 */
export function retireOldConnections(
  { maxConnectionAgeMs: ageMs, observer, clock, random }: AgingSettings,
  members: () => Iterable<PoolEntry>,
): Aging {
  if (ageMs === 0) return { now: () => clock.now(), stop() {} };
  const firstMs = ageMs * (1 - jitterPart);
  const lastMs = ageMs * (1 + jitterPart);
  const tickMs = Math.min(longestTickMs, (lastMs - firstMs) / looks);
  const error = new GatewayError("aborted", "the connection is older than connections may become");
  let cancel = (): void => {};
  let dueAt = clock.now() + tickMs;
  let forgivenMs = 0;

  /** How much of the time so far is pauses, the one included after which the look that is due has yet to come. */
  const pausedMs = (): number => {
    const lateMs = clock.now() - dueAt;
    return lateMs > toleranceMs ? forgivenMs + lateMs : forgivenMs;
  };
  const now = (): number => clock.now() - pausedMs();

  /** So that whoever is spared is as likely to be closed at any later look, and at the last one all are. */
  const isDue = ({ connectedAt }: Revocable): boolean =>
    random() * (lastMs - (now() - connectedAt * 100)) < tickMs;

  const look = (): void => {
    forgivenMs = pausedMs();
    dueAt = clock.now() + tickMs;
    const born = tenthsOfSeconds(now() - firstMs);
    for (const member of members()) {
      // Those that may be old enough stand first.
      const old = member.connected.itemsWhile(({ connectedAt }) => connectedAt <= born).filter(isDue);
      const connections = old.filter(lease => lease.revoke(error)).length;
      if (connections > 0)
        notify(observer, "recyclingConnections", { endpoint: member.endpoint, connections, cause: "age" });
    }
    cancel = clock.after(tickMs, look);
  };
  cancel = clock.after(tickMs, look);
  return {
    now,
    stop() {
      cancel();
      dueAt = Infinity;
    },
  };
}
