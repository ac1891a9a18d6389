import { type Clock, type Endpoint, formatAddress } from "@gw/interface";
import { memberAt, PoolEntry } from "./entry.js";

/** Who belongs to a pool, and who did and still has connections. */
export class Membership {
  readonly #clock: Clock;
  #members: readonly PoolEntry[] = [];
  #byAddress: ReadonlyMap<string, PoolEntry> = new Map();
  readonly #leaving = new Set<PoolEntry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** In the order of the newest set. */
  get members(): readonly PoolEntry[] {
    return this.#members;
  }

  /** Those that are gone and still have connections. */
  get leaving(): Iterable<PoolEntry> {
    return this.#leaving;
  }

  /** The member of that host and port, unless it is gone. */
  find(endpoint: Endpoint): PoolEntry | undefined {
    const member = memberAt(endpoint);
    // It may be another pool's.
    if (member && this.#members[member.position] === member) return member;
    return this.#byAddress.get(formatAddress(endpoint));
  }

  /** Replaces the set. What stays is the same member as before, and so is what returns before it has left. */
  replace(endpoints: readonly Endpoint[]): { readonly added: Endpoint[]; readonly removed: PoolEntry[] } {
    const before = new Map(this.#byAddress);
    const leaving = byAddress(this.#leaving);
    const added: Endpoint[] = [];
    const members = new Map<string, PoolEntry>();
    endpoints.forEach((given, position) => {
      // A selector sees it, and must have nothing to change.
      const endpoint = Object.freeze({ ...given });
      const address = formatAddress(endpoint);
      const known = before.get(address);
      if (!known) added.push(endpoint);
      before.delete(address);
      const member = known ?? leaving.get(address) ?? new PoolEntry(endpoint, this.#clock.now());
      member.endpoint = endpoint;
      member.position = position;
      if (member.removed) this.#welcome(member);
      members.set(address, member);
    });
    this.#members = [...members.values()];
    this.#byAddress = members;
    const removed = [...before.values()];
    for (const member of removed) this.#dismiss(member);
    return { added, removed };
  }

  /** A lease on `member` has ended. */
  ended(member: PoolEntry): void {
    if (member.connections === 0) this.#leaving.delete(member);
  }

  /** Ends all that waits for a time to come. */
  close(): void {
    for (const member of this.#members) member.retry.cancel();
    for (const member of [...this.#members, ...this.#leaving]) member.farewell.cancel();
  }

  /** It begins anew. */
  #welcome(member: PoolEntry): void {
    member.removed = false;
    member.aside = undefined;
    member.verdict = undefined;
    member.since = this.#clock.now();
    member.farewell.cancel();
    this.#leaving.delete(member);
  }

  #dismiss(member: PoolEntry): void {
    member.removed = true;
    member.since = this.#clock.now();
    member.retry.cancel();
    if (member.connections > 0) this.#leaving.add(member);
  }
}

function byAddress(members: Iterable<PoolEntry>): Map<string, PoolEntry> {
  return new Map([...members].map(member => [formatAddress(member.endpoint), member]));
}
