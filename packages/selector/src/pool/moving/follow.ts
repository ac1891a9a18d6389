import { type EndCause, GatewayError, notify } from "@gw/interface";
import type { PoolEntry } from "../entry.js";
import type { PoolSettings } from "../options.js";
import { Pace, tickMs } from "./pace.js";
import type { Balance, Rebalancing } from "./rebalance.js";

/** Where connections are, and where the selector wants them. */
export interface Wanted extends Balance {
  /** One of those that serve; undefined if connections to them may stay where they are. */
  readonly target: PoolEntry | undefined;
}

/**
 * Closes connections to other entries than the selector's target, the oldest first, so that clients reconnect and the
 * policy sends them there. Of all connections at most the part `rebalance`, or else the selector's `targetRate`, is closed
 * in a minute. While there is no target, `rebalance` moves those of a worse priority to the one that serves.
 *
 * The selector is asked at each tick while there are connections, also if none may be moved: it may have to see what
 * changes while no client connects.
 */
export function following(
  {
    rebalance,
    selector,
    observer,
    clock,
    random,
  }: Pick<PoolSettings, "rebalance" | "selector" | "observer" | "clock" | "random">,
  wanted: () => Wanted,
): Rebalancing {
  const error = new GatewayError(
    "aborted",
    "the connection is moved to the endpoint that the policy prefers",
    { cause: "rebalanced" satisfies EndCause },
  );
  const pace = new Pace(rebalance || (selector.targetRate ?? 0));
  let running = false;
  let closed = false;
  let cancel = (): void => {};
  let followed: PoolEntry | undefined;
  let moving = false;

  const tick = (): void => {
    running = false;
    const { entries, serving, target } = wanted();
    const total = sumOf(entries);
    // The next connection starts it again.
    if (total === 0) return;
    schedule(tickMs);
    if (target !== followed) pace.restart();
    followed = target;
    const isBetter = (target ? [target] : serving).some(isGood);
    const elsewhere = isBetter ? entries.filter(entry => isElsewhere(entry, target, serving)) : [];
    const left = sumOf(elsewhere);
    if (left > 0 && !moving) pace.stagger(random);
    moving = left > 0;
    if (!moving || pace.isUseless) return;
    const allowed = pace.tick(total, left);
    if (allowed > 0) closeOldest(elsewhere, allowed);
    pace.moved(allowed, left);
  };

  const isElsewhere = (
    entry: PoolEntry,
    target: PoolEntry | undefined,
    [best]: readonly PoolEntry[],
  ): boolean => {
    // Connections of an entry that is down are closed by the drain policy.
    if (!entry.isUp || entry === target) return false;
    if (target) return true;
    return rebalance > 0 && best !== undefined && entry.endpoint.priority > best.endpoint.priority;
  };

  const closeOldest = (entries: readonly PoolEntry[], count: number): void => {
    const oldest = entries
      .flatMap(entry => {
        let taken = 0;
        return entry.connected.itemsWhile(() => taken++ < count).map(lease => ({ entry, lease }));
      })
      .sort((one, other) => one.lease.connectedAt - other.lease.connectedAt)
      .slice(0, count);
    for (const entry of entries) {
      const own = oldest.filter(one => one.entry === entry);
      const connections = own.filter(({ lease }) => lease.revoke(error)).length;
      if (connections > 0)
        notify(observer, "recyclingConnections", { endpoint: entry.endpoint, connections, cause: "policy" });
    }
  };

  const schedule = (delayMs: number): void => {
    if (running || closed) return;
    running = true;
    cancel = clock.after(delayMs, tick);
  };

  return {
    start: () => pace.restart(),
    connected() {
      if (!running) schedule(tickMs * random());
    },
    close() {
      closed = true;
      cancel();
    },
  };
}

function sumOf(entries: readonly PoolEntry[]): number {
  return entries.reduce((sum, { connected }) => sum + connected.size, 0);
}

/** Whether it is up, nothing is known against it, and a connection that is closed now would get there. */
function isGood({ isUp, isAvoided, verdict }: PoolEntry): boolean {
  return isUp && !isAvoided && !verdict?.error;
}
