import { formatAddress, GatewayError, notify, type Observer } from "@gw/interface";
import { type DrainPolicy, type FarewellSettings, sayFarewell } from "./farewell.js";
import type { PoolEntry } from "./member.js";

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
