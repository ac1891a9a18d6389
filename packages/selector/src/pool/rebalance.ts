import { type Clock, GatewayError, notify, type Observer } from "@gw/interface";
import type { PoolEntry } from "./entry.js";

/** How many connections may be moved, and to where. */
export interface RebalancingSettings {
  /** The part of all connections that may be moved in a minute, from 0 (none) to 1. */
  readonly rebalance: number;
  /** Whether a member's share goes by its weight, as the policy's does, or is the same for all. */
  readonly weighted: boolean;
  readonly observer: Observer | undefined;
  readonly clock: Clock;
}

/** Members, and who of them takes new connections. */
export interface Balance {
  readonly members: readonly PoolEntry[];
  /** Of one priority, and up; none if connections are better left where they are. */
  readonly serving: readonly PoolEntry[];
}

/** Between two moves, in milliseconds. */
const tickMs = 6_000;
const minuteMs = 60_000;
/** Carrying less than this part of its share is too few, */
const fewPart = 0.8;
/** and enough is this part. */
const enoughPart = 0.95;
/** So many moves without the members becoming any more equal, and the policy does not want them to be. */
const vainMoves = 10;

/** Moves connections back to members that carry too few, after something has changed. */
export interface Rebalancing {
  /** Who is up, or their priorities or weights, have changed. */
  begin(): void;
  close(): void;
}

/**
 * Closes connections of members that carry more than their share, the oldest first, so that they are made anew where
 * the policy sends them: to members that carry too few, as after an outage. Of all connections at most the part
 * `rebalance` is closed in a minute, a tenth of that at a time. It ends when nobody carries too few, and when moving
 * changes nothing, since the policy may have a mind of its own; and begins again when something has changed.
 */
export function rebalancing(
  { rebalance, weighted, observer, clock }: RebalancingSettings,
  balance: () => Balance,
): Rebalancing {
  const error = new GatewayError("aborted", "the connection is moved to an endpoint that carries too few");
  let running = false;
  let closed = rebalance === 0;
  let cancel = (): void => {};
  let credit = 0;
  let least = Infinity;
  let inVain = 0;
  let moving = false;

  const move = (): void => {
    running = false;
    const { members, serving } = balance();
    const total = sum(members.map(({ connected }) => connected.size));
    const shares = sharesOf(serving, weighted, total);
    const part = moving ? enoughPart : fewPart;
    const missing = sum(
      serving.map(member => {
        const share = shares.get(member) ?? 0;
        return member.connected.size < share * part ? Math.floor(share - member.connected.size) : 0;
      }),
    );
    moving = missing >= 1 && inVain < vainMoves;
    if (!moving) return;
    // Less than one connection at a time is saved up.
    credit = Math.min(credit + (total * rebalance * tickMs) / minuteMs, Math.max(1, total * rebalance));
    const allowed = Math.min(Math.floor(credit), missing);
    const moved = allowed > 0 ? closeMost(members, shares, allowed) : 0;
    credit -= moved;
    if (moved > 0) inVain = missing < least ? 0 : inVain + 1;
    least = Math.min(least, missing);
    schedule();
  };

  /** Closes up to `allowed` connections of those who carry too many, from whoever carries most first. */
  const closeMost = (members: readonly PoolEntry[], shares: Shares, allowed: number): number => {
    let left = allowed;
    // What is set aside may be down: its clients shall find out by themselves.
    const over = members
      .filter(({ aside }) => !aside)
      .map(member => ({ member, excess: Math.floor(member.connected.size - (shares.get(member) ?? 0)) }))
      .toSorted((one, other) => other.excess - one.excess);
    for (const { member, excess } of over) {
      const count = Math.min(left, excess);
      if (count < 1) break;
      left -= count;
      let taken = 0;
      const oldest = member.connected.itemsWhile(() => taken++ < count);
      const connections = oldest.filter(lease => lease.revoke(error)).length;
      notify(observer, "recyclingConnections", { endpoint: member.endpoint, connections, cause: "balance" });
    }
    return allowed - left;
  };

  const schedule = (): void => {
    if (running || closed) return;
    running = true;
    cancel = clock.after(tickMs, move);
  };

  return {
    begin() {
      least = Infinity;
      inVain = 0;
      schedule();
    },
    close() {
      closed = true;
      cancel();
    },
  };
}

type Shares = ReadonlyMap<PoolEntry, number>;

/** What each should carry; whoever does not serve should carry nothing. */
function sharesOf(serving: readonly PoolEntry[], weighted: boolean, total: number): Shares {
  const weights = serving.map(({ endpoint }) => (weighted ? endpoint.weight : 1));
  const all = sum(weights);
  return new Map(
    serving.map((member, index) => [
      member,
      all > 0 ? (total * (weights[index] ?? 0)) / all : total / serving.length,
    ]),
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
