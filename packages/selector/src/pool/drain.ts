import { formatAddress, GatewayError, notify, startTimeout } from "@gw/interface";
import type { PoolEntry } from "./entry.js";
import { revokeDials } from "./lease.js";
import type { DrainPolicy, PoolSettings } from "./options.js";

/** Closing this many connections is spread over a second; fewer take less. */
const manyConnections = 100;

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
    const gone = `${formatAddress(entry.endpoint)} is no longer an endpoint`;
    const error = rejected ?? new GatewayError("aborted", gone);
    revokeDials(entry, error);
    // What hangs would hang all through the drain.
    const hangs = entry.isUnhealthy && onUnhealthy === "close";
    if (rejected) for (const lease of entry.connected.items()) lease.revoke(rejected);
    else this.#close(entry, hangs ? "close" : onRemoved, error);
  }

  /** Closes the connections of an unhealthy entry, unless it is usable: then no other endpoint is better for them. */
  assess(entry: PoolEntry, isUsable: boolean): void {
    const { down } = entry;
    if (down?.cause !== "check") return;
    if (isUsable) entry.closing.cancel();
    else if (!entry.closing.active) this.#close(entry, this.#settings.onUnhealthy, down.error);
  }

  #close(entry: PoolEntry, policy: DrainPolicy, error: GatewayError): void {
    const connections = entry.connected.size;
    const withinMs = closeConnections(entry, policy, error, this.#settings);
    const { endpoint } = entry;
    if (withinMs > 0)
      notify(this.#settings.observer, "closingConnections", { endpoint, connections, withinMs, error });
  }
}

/**
 * Closes the connections of `entry`, each after a random delay so that their clients do not all reconnect at once.
 *
 * @param error the reason, for the holders of their leases
 * @returns within how many milliseconds; 0 if there is nothing to close
 */
function closeConnections(
  entry: PoolEntry,
  policy: DrainPolicy,
  error: GatewayError,
  { drainTimeoutMs, clock, random }: DrainSettings,
): number {
  const { closing } = entry;
  closing.cancel();
  const open = entry.connected.items();
  if (open.length === 0 || policy === "leave") return 0;
  const spreadMs =
    policy === "drain" ? drainTimeoutMs / 2 : 1_000 * Math.min(1, open.length / manyConnections);
  const firstMs = policy === "drain" ? drainTimeoutMs / 2 : 0;
  let left = open.length;
  const timeouts = open.map(lease =>
    startTimeout(clock, firstMs + spreadMs * random(), () => {
      left -= 1;
      if (left === 0) closing.active = false;
      lease.revoke(error);
    }),
  );
  closing.active = true;
  closing.cancel = () => {
    for (const cancel of timeouts) cancel();
    closing.active = false;
  };
  return firstMs + spreadMs;
}
