import { type Endpoint, formatAddress } from "@gw/interface";
import { Member } from "./member.js";

/** Who belongs to a pool, and who did and still has connections. */
export class Membership {
  #members: readonly Member[] = [];
  readonly #leaving = new Set<Member>();

  /** In the order of the newest set. */
  get members(): readonly Member[] {
    return this.#members;
  }

  /** Replaces the set. What stays is the same member as before, and so is what returns before it has left. */
  replace(endpoints: readonly Endpoint[]): { readonly added: Endpoint[]; readonly removed: Member[] } {
    const before = byAddress(this.#members);
    const leaving = byAddress(this.#leaving);
    const added: Endpoint[] = [];
    this.#members = endpoints.map(given => {
      // A selector sees it, and must have nothing to change.
      const endpoint = Object.freeze({ ...given });
      const address = formatAddress(endpoint);
      const known = before.get(address);
      if (!known) added.push(endpoint);
      before.delete(address);
      const member = known ?? leaving.get(address) ?? new Member(endpoint);
      member.endpoint = endpoint;
      this.#welcome(member);
      return member;
    });
    const removed = [...before.values()];
    for (const member of removed) this.#dismiss(member);
    return { added, removed };
  }

  /** A lease on `member` has ended. */
  ended(member: Member): void {
    if (member.connections === 0) this.#leaving.delete(member);
  }

  /** Ends all that waits for a time to come. */
  close(): void {
    for (const member of this.#members) member.retry.cancel();
    for (const member of this.#leaving) member.farewell.cancel();
  }

  #welcome(member: Member): void {
    member.removed = false;
    member.farewell.cancel();
    this.#leaving.delete(member);
  }

  #dismiss(member: Member): void {
    member.removed = true;
    member.aside = undefined;
    member.retry.cancel();
    if (member.connections > 0) this.#leaving.add(member);
  }
}

function byAddress(members: Iterable<Member>): Map<string, Member> {
  return new Map([...members].map(member => [formatAddress(member.endpoint), member]));
}
