import { type EndCause, GatewayError, notify } from "@gw/interface";
import type { PoolEntry } from "../entry.js";
import type { PoolSettings } from "../options.js";
import { Pace, tickMs } from "./pace.js";

/** All entries, and those of them that take new connections. */
export interface Balance {
  readonly entries: readonly PoolEntry[];
  /** Of one priority, and up; none if connections are to stay where they are. */
  readonly serving: readonly PoolEntry[];
}

/** Moving starts when an entry has less than this part of its share, */
const lowPart = 0.8;
/** and stops when each has at least this part. */
const enoughPart = 0.95;

/** Moves connections to entries that have too few, or that the policy prefers. */
export interface Rebalancing {
  /** To be called when states, priorities or weights have changed. */
  start(): void;
  /** To be called when there is one connection more. */
  connected(): void;
  close(): void;
}

/**
 * Closes connections of entries that have more than their share, the oldest first, so that clients reconnect and the
 * policy sends them to entries that have too few, as after an outage. Of all connections at most the part `rebalance` is
 * closed in a minute, a tenth of that at a time. It stops when no entry has too few, or when moving changes nothing,
 * since the policy may not spread connections evenly.
 */
export function rebalancing(
  {
    rebalance,
    weighted,
    observer,
    clock,
  }: Pick<PoolSettings, "rebalance" | "weighted" | "observer" | "clock">,
  balance: () => Balance,
): Rebalancing {
  const error = new GatewayError("aborted", "the connection is moved to an endpoint that has too few", {
    cause: "rebalanced" satisfies EndCause,
  });
  let running = false;
  let closed = rebalance === 0;
  let cancel = (): void => {};
  const pace = new Pace(rebalance);
  let moving = false;

  const move = (): void => {
    running = false;
    const { entries, serving } = balance();
    const total = sum(entries.map(({ connected }) => connected.size));
    const shares = sharesOf(serving, weighted, total);
    const part = moving ? enoughPart : lowPart;
    const missing = sum(
      serving.map(entry => {
        const share = shares.get(entry) ?? 0;
        return entry.connected.size < share * part ? Math.floor(share - entry.connected.size) : 0;
      }),
    );
    moving = missing >= 1 && !pace.isUseless;
    if (!moving) return;
    const allowed = pace.tick(total, missing);
    pace.moved(allowed > 0 ? closeMost(entries, shares, allowed) : 0, missing);
    schedule();
  };

  /** Closes up to `allowed` connections of entries that have too many, those with the most first. Returns how many. */
  const closeMost = (entries: readonly PoolEntry[], shares: Shares, allowed: number): number => {
    let left = allowed;
    // Connections of an entry that is down are closed by the drain policy.
    const over = entries
      .filter(({ isUp }) => isUp)
      .map(entry => ({ entry, excess: Math.floor(entry.connected.size - (shares.get(entry) ?? 0)) }))
      .toSorted((one, other) => other.excess - one.excess);
    for (const { entry, excess } of over) {
      const count = Math.min(left, excess);
      if (count < 1) break;
      left -= count;
      let taken = 0;
      const oldest = entry.connected.itemsWhile(() => taken++ < count);
      const connections = oldest.filter(lease => lease.revoke(error)).length;
      notify(observer, "recyclingConnections", { endpoint: entry.endpoint, connections, cause: "balance" });
    }
    return allowed - left;
  };

  const schedule = (): void => {
    if (running || closed) return;
    running = true;
    cancel = clock.after(tickMs, move);
  };

  return {
    start() {
      pace.restart();
      schedule();
    },
    connected() {},
    close() {
      closed = true;
      cancel();
    },
  };
}

type Shares = ReadonlyMap<PoolEntry, number>;

/** How many connections each should have; one that does not serve should have none. */
function sharesOf(serving: readonly PoolEntry[], weighted: boolean, total: number): Shares {
  const weights = serving.map(({ endpoint }) => (weighted ? endpoint.weight : 1));
  const all = sum(weights);
  return new Map(
    serving.map((entry, index) => [
      entry,
      all > 0 ? (total * (weights[index] ?? 0)) / all : total / serving.length,
    ]),
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
