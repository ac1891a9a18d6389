import { type EndCause, GatewayError, notify } from "@gw/interface";
import type { PoolEntry, RevocableLease } from "../entry.js";
import { tenthsOfSeconds } from "../lease.js";
import type { PoolSettings } from "../options.js";

/** The part of the age by which a connection may be closed sooner, or later. */
const jitterPart = 0.1;
/** Between the youngest and the oldest age at which a connection may be closed there are at least so many ticks, */
const minTicks = 10;
/** and at most this time between two, in milliseconds. */
const maxTickMs = 1_000;
/** A tick that is later than this comes after a pause of this process, in milliseconds. */
const toleranceMs = 1_000;

/** Closes connections by their age. */
export interface MaxAge {
  /** The clock by which ages are counted, in milliseconds: it stands still while this process is paused. */
  now(): number;
  stop(): void;
}

/**
 * Closes connections at the age `maxConnectionAgeMs`. They were opened in bursts, as at the start of a gateway, and must
 * not be closed in bursts: from 90 % to 110 % of the age any moment is as likely as another.
 *
 * A pause of this process does not count, since all connections that became too old meanwhile would be closed at once.
 *
 * @param entries those whose connections are closed
 */
export function closeOldConnections(
  {
    maxConnectionAgeMs: ageMs,
    observer,
    clock,
    random,
  }: Pick<PoolSettings, "maxConnectionAgeMs" | "observer" | "clock" | "random">,
  entries: () => Iterable<PoolEntry>,
): MaxAge {
  if (ageMs === 0) return { now: () => clock.now(), stop() {} };
  const firstMs = ageMs * (1 - jitterPart);
  const lastMs = ageMs * (1 + jitterPart);
  const tickMs = Math.min(maxTickMs, (lastMs - firstMs) / minTicks);
  const error = new GatewayError("aborted", "the connection is older than connections may become", {
    cause: "too-old" satisfies EndCause,
  });
  let cancel = (): void => {};
  let dueAt = clock.now() + tickMs;
  let earlierPausesMs = 0;

  /** All pauses so far, with the one that delays the next tick. */
  const pausedMs = (): number => {
    const lateMs = clock.now() - dueAt;
    return lateMs > toleranceMs ? earlierPausesMs + lateMs : earlierPausesMs;
  };
  const now = (): number => clock.now() - pausedMs();

  /** The chance makes each later tick as likely as another, and the last one certain. */
  const isDue = ({ connectedAt }: RevocableLease): boolean =>
    random() * (lastMs - (now() - connectedAt * 100)) < tickMs;

  const tick = (): void => {
    earlierPausesMs = pausedMs();
    dueAt = clock.now() + tickMs;
    const born = tenthsOfSeconds(now() - firstMs);
    for (const entry of entries()) {
      // The oldest come first.
      const old = entry.connected.itemsWhile(({ connectedAt }) => connectedAt <= born).filter(isDue);
      const connections = old.filter(lease => lease.revoke(error)).length;
      if (connections > 0)
        notify(observer, "recyclingConnections", { endpoint: entry.endpoint, connections, cause: "age" });
    }
    cancel = clock.after(tickMs, tick);
  };
  cancel = clock.after(tickMs, tick);
  return {
    now,
    stop() {
      cancel();
      dueAt = Infinity;
    },
  };
}
