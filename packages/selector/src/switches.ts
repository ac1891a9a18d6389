import { formatAddress, notify, type Observer } from "@gw/interface";
import type { PoolEntry } from "./member.js";

/** Tells when connections go to another member than before, where that is not just the policy's way. */
export class Switches {
  readonly #observer: Observer | undefined;
  /** The member that the newest connection went to. */
  #current: PoolEntry | undefined;

  constructor(observer: Observer | undefined) {
    this.#observer = observer;
  }

  /** The member that the newest connection went to. */
  get current(): PoolEntry | undefined {
    return this.#current;
  }

  /** A connection was made to `member`; returns whether that was a failover. */
  connected(member: PoolEntry): boolean {
    const last = this.#current;
    this.#current = member;
    if (!last || last === member) return false;
    const why = reasonToLeave(last, member);
    if (why) notify(this.#observer, "failover", { from: last.endpoint, to: member.endpoint, why });
    return why !== undefined;
  }
}

function reasonToLeave(from: PoolEntry, to: PoolEntry): string | undefined {
  if (from.removed) return `${formatAddress(from.endpoint)} is no longer an endpoint`;
  if (from.aside) return from.aside.error.detail;
  if (to.endpoint.priority < from.endpoint.priority)
    return `priority ${to.endpoint.priority} is preferred to ${from.endpoint.priority}`;
  return undefined;
}
