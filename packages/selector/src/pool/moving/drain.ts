import { type EndCause, type GatewayError, notify, startTimeout, withEndCause } from "@gw/interface";
import type { PoolEntry, RevocableLease } from "../entry.js";
import { revokeDials } from "../lease.js";
import type { DrainPolicy, PoolSettings } from "../options.js";

/**
 * Under `close`, connections are closed within this time, in milliseconds: each gateway of a fleet may have one, and all
 * notice the same fault at the same moment,
 */
const closeSpreadMs = 1_000;
/** within this time if their clients wait for an answer, which they have begun to do one after the other, */
const waitingSpreadMs = 50;
/** or more where many do, by this time for each of them, up to the first one, */
const eachWaitingMs = 10;
/** and within this time if the endpoint was removed: then it may serve well. */
const removedSpreadMs = 5_000;
/** There, an answer that takes longer than this shows that it does not, in milliseconds; */
const hangingMs = 1_000;
/** but all gateways hear of a removal at the same moment, and close such connections within this time. */
const hangingSpreadMs = 250;

type DrainSettings = Pick<
  PoolSettings,
  "onRemoved" | "onUnhealthy" | "drainTimeoutMs" | "observer" | "clock" | "random"
>;

/** Closes the connections of entries that were removed or marked down by health checks, by the drain policies. */
export class Drain {
  readonly #settings: DrainSettings;

  constructor(settings: DrainSettings) {
    this.#settings = settings;
  }

  /**
   * `entry` is draining: revokes its dials now, and closes its connections by `onRemoved`; at once if it was `rejected`
   * for the reason given.
   */
  removed(entry: PoolEntry, rejected?: GatewayError): void {
    const { onRemoved, onUnhealthy } = this.#settings;
    const error = rejected ?? entry.leftBecause;
    revokeDials(entry, error);
    // What hangs would hang all through the drain.
    const hangs = entry.isUnhealthy && onUnhealthy === "close";
    if (rejected) {
      const ended = withEndCause(rejected, "rejected");
      for (const lease of entry.connected.items()) lease.revoke(ended);
    } else if (hangs) this.#close(entry, "close", error, "removed");
    else this.#close(entry, onRemoved, error, "removed", removal);
  }

  /** Closes the connections of an unhealthy entry, unless it is usable: then no other endpoint is better for them. */
  assess(entry: PoolEntry, isUsable: boolean): void {
    const { down } = entry;
    if (down?.cause !== "check") return;
    if (isUsable) entry.closing.cancel();
    else if (!entry.closing.active) this.#close(entry, this.#settings.onUnhealthy, down.error, "unhealthy");
  }

  #close(
    entry: PoolEntry,
    policy: DrainPolicy,
    error: GatewayError,
    cause: EndCause,
    pace: Pace = failing,
  ): void {
    const connections = entry.connected.size;
    const withinMs = closeConnections(
      entry,
      { policy, error: withEndCause(error, cause), pace },
      this.#settings,
    );
    const { endpoint } = entry;
    if (withinMs > 0)
      notify(this.#settings.observer, "closingConnections", { endpoint, connections, withinMs, error });
  }
}

/** How fast connections are closed under `close`, in milliseconds. */
interface Pace {
  /** Those whose clients do not wait, within this time. */
  readonly spreadMs: number;
  /** Clients wait that have been waiting for longer than this. */
  readonly waitsAfterMs: number;
  /** Those are closed within this time if they are few. */
  readonly waitingSpreadMs: number;
}

const failing: Pace = { spreadMs: closeSpreadMs, waitsAfterMs: 0, waitingSpreadMs };
const removal: Pace = {
  spreadMs: removedSpreadMs,
  waitsAfterMs: hangingMs,
  waitingSpreadMs: hangingSpreadMs,
};

/**
 * Closes the connections of `entry`, each after a random delay so that their clients, and those of other gateways, do not
 * all reconnect at once.
 *
 * @param order.error the reason, for the holders of their leases
 * @returns within how many milliseconds; 0 if there is nothing to close
 */
function closeConnections(
  entry: PoolEntry,
  order: { readonly policy: DrainPolicy; readonly error: GatewayError; readonly pace: Pace },
  { drainTimeoutMs, clock, random }: DrainSettings,
): number {
  const { policy, error, pace } = order;
  const { closing } = entry;
  closing.cancel();
  const open = entry.connected.items();
  if (open.length === 0 || policy === "leave") return 0;
  const waiting = new Set(open.filter(({ waitingMs = 0 }) => waitingMs > pace.waitsAfterMs));
  const waitingMs = Math.min(closeSpreadMs, Math.max(pace.waitingSpreadMs, waiting.size * eachWaitingMs));
  const halfMs = drainTimeoutMs / 2;
  const spreadOf = (lease: RevocableLease): number => {
    if (policy === "drain") return halfMs;
    return waiting.has(lease) ? waitingMs : pace.spreadMs;
  };
  const firstMs = policy === "drain" ? halfMs : 0;
  let left = open.length;
  let withinMs = 0;
  const timeouts = open.map(lease => {
    const spreadMs = spreadOf(lease);
    withinMs = Math.max(withinMs, firstMs + spreadMs);
    return startTimeout(clock, firstMs + spreadMs * random(), () => {
      left -= 1;
      if (left === 0) closing.active = false;
      lease.revoke(error);
    });
  });
  closing.active = true;
  closing.cancel = () => {
    for (const cancel of timeouts) cancel();
    closing.active = false;
  };
  return withinMs;
}
