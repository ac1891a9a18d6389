import {
  type Candidate,
  type Endpoint,
  GatewayError,
  messageOf,
  notify,
  type Observer,
  type Selector,
  sameEndpoint,
} from "@gw/interface";
import { type CandidateView, viewPickOf } from "../policies/candidate-view.js";
import { memberAt, memberOf, type PoolEntry } from "./entry.js";
import type { Offer } from "./tiers.js";

/** What a selector chooses from: as a view, which costs nothing, and as an array. */
export interface Choice {
  readonly view: CandidateView;
  /** Frozen, since others may be offered the same. */
  candidates(): readonly Candidate[];
}

/**
 * Some members of one priority in the order of their set. A change takes time that grows with the logarithm of their
 * number, and that of moving pointers.
 */
export class Roster implements Choice, CandidateView {
  readonly #members: PoolEntry[] = [];
  #weight = 0;
  /** Made when it is asked for; others are offered the same until something changes. */
  #candidates: readonly Candidate[] | undefined;

  get view(): CandidateView {
    return this;
  }

  get length(): number {
    return this.#members.length;
  }

  get weight(): number {
    return this.#weight;
  }

  get members(): readonly PoolEntry[] {
    return this.#members;
  }

  at(index: number): Candidate | undefined {
    return this.#members[index]?.candidate;
  }

  indexOf(endpoint: Endpoint): number {
    const member = memberAt(endpoint);
    if (!member || member.removed)
      return this.#members.findIndex(one => sameEndpoint(one.endpoint, endpoint));
    const place = this.placeOf(member);
    return this.#members[place] === member ? place : -1;
  }

  candidates(): readonly Candidate[] {
    this.#candidates ??= Object.freeze(this.#members.map(({ candidate }) => candidate));
    return this.#candidates;
  }

  /** All but `members`, which are in this roster. */
  without(members: readonly PoolEntry[]): Choice {
    return members.length === 0 ? this : new Remainder(this, members);
  }

  /** Adds a member that is not in this roster. */
  add(member: PoolEntry): void {
    this.#members.splice(this.placeOf(member), 0, member);
    this.#weight += member.endpoint.weight;
    this.#candidates = undefined;
  }

  /** Takes out a member that is in this roster. */
  remove(member: PoolEntry): void {
    this.#members.splice(this.placeOf(member), 1);
    this.#weight -= member.endpoint.weight;
    this.#candidates = undefined;
  }

  /** Where `member` is, or would be. */
  placeOf({ position }: PoolEntry): number {
    let [low, high] = [0, this.#members.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#members[middle] as PoolEntry).position < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A roster without the few members that a client has tried. Not to be used when the roster has changed. */
class Remainder implements Choice, CandidateView {
  readonly #roster: Roster;
  /** What is left out, in ascending order. */
  readonly #places: readonly number[];
  readonly weight: number;

  constructor(roster: Roster, members: readonly PoolEntry[]) {
    this.#roster = roster;
    this.#places = members.map(member => roster.placeOf(member)).sort((one, other) => one - other);
    this.weight = members.reduce((rest, { endpoint }) => rest - endpoint.weight, roster.weight);
  }

  get view(): CandidateView {
    return this;
  }

  get length(): number {
    return this.#roster.length - this.#places.length;
  }

  at(index: number): Candidate | undefined {
    let place = index;
    for (const other of this.#places) if (other <= place) place += 1;
    return this.#roster.at(place);
  }

  indexOf(endpoint: Endpoint): number {
    const place = this.#roster.indexOf(endpoint);
    if (place < 0 || this.#places.includes(place)) return -1;
    return place - this.#places.filter(other => other < place).length;
  }

  candidates(): readonly Candidate[] {
    const rest = [...this.#roster.candidates()];
    for (const place of this.#places.toReversed()) rest.splice(place, 1);
    return Object.freeze(rest);
  }
}

/** Asks a selector, and takes one at random where it fails: a bad policy must not stop the service. */
export class Picker {
  readonly #selector: Selector;
  readonly #observer: Observer | undefined;
  readonly #pickFromView: ReturnType<typeof viewPickOf>;
  #failing = false;

  constructor(selector: Selector, observer: Observer | undefined) {
    this.#selector = selector;
    this.#pickFromView = viewPickOf(selector);
    this.#observer = observer;
  }

  /** One of those offered; undefined only if nothing is. */
  pick(offer: Offer): PoolEntry | undefined {
    const { view } = offer.choice;
    if (view.length === 0) return undefined;
    try {
      const choice: unknown = this.#pickFromView
        ? this.#pickFromView(view)
        : this.#selector.pick(offer.choice.candidates());
      const member = memberOf(choice);
      // A selector that is async in spite of its contract fails here; that it also rejects is nothing more.
      if (choice instanceof Promise) choice.catch(() => {});
      if (!member || !offer.includes(member))
        throw new Error("it returned something other than one of the candidates");
      this.#failing = false;
      return member;
    } catch (error) {
      this.#sayFailed(error);
      return memberOf(view.at(Math.floor(Math.random() * view.length)));
    }
  }

  /** Says it once, until the selector has worked again. */
  #sayFailed(error: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    const detail = `the selector failed: ${messageOf(error)}`;
    notify(this.#observer, "selectorFailed", {
      error: new GatewayError("selector-failed", detail, { cause: error }),
    });
  }
}
