import { type Candidate, type Endpoint, sameEndpoint } from "@gw/interface";
import type { CandidateView } from "../policies/candidate-view.js";
import { entryAt, type PoolEntry } from "./entry.js";

/** What a client is offered. */
export interface Offer {
  readonly choice: Choice;
  /** Whether the candidate of `entry` is among those offered. */
  readonly includes: (entry: PoolEntry) => boolean;
}

/** What a selector chooses from: as a view, which costs nothing, and as an array. */
interface Choice {
  readonly view: CandidateView;
  /** Frozen, since others may be offered the same. */
  candidates(): readonly Candidate[];
}

/**
 * Some entries of one priority in the order of their set. A change takes time that grows with the logarithm of their
 * number, and that of moving pointers.
 */
export class Roster implements Choice, CandidateView {
  readonly #entries: PoolEntry[] = [];
  #weight = 0;
  /** Built on demand, and kept until something changes. */
  #candidates: readonly Candidate[] | undefined;

  get view(): CandidateView {
    return this;
  }

  get length(): number {
    return this.#entries.length;
  }

  get weight(): number {
    return this.#weight;
  }

  get entries(): readonly PoolEntry[] {
    return this.#entries;
  }

  at(index: number): Candidate | undefined {
    return this.#entries[index]?.candidate;
  }

  indexOf(endpoint: Endpoint): number {
    const entry = entryAt(endpoint);
    if (!entry || entry.isDraining)
      return this.#entries.findIndex(one => sameEndpoint(one.endpoint, endpoint));
    const place = this.placeOf(entry);
    return this.#entries[place] === entry ? place : -1;
  }

  hasLeft(endpoint: Endpoint): boolean {
    return entryAt(endpoint)?.isDraining ?? false;
  }

  candidates(): readonly Candidate[] {
    this.#candidates ??= Object.freeze(this.#entries.map(({ candidate }) => candidate));
    return this.#candidates;
  }

  /** All but `entries`, which are in this roster. */
  without(entries: readonly PoolEntry[]): Choice {
    return entries.length === 0 ? this : new Remainder(this, entries);
  }

  /** Adds an entry that is not in this roster. */
  add(entry: PoolEntry): void {
    this.#entries.splice(this.placeOf(entry), 0, entry);
    this.#weight += entry.endpoint.weight;
    this.#candidates = undefined;
  }

  /** Takes out an entry that is in this roster. */
  remove(entry: PoolEntry): void {
    this.#entries.splice(this.placeOf(entry), 1);
    this.#weight -= entry.endpoint.weight;
    this.#candidates = undefined;
  }

  /** Where `entry` is, or would be. */
  placeOf({ position }: PoolEntry): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle] as PoolEntry).position < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A roster without the few entries that a client has tried. Not to be used when the roster has changed. */
class Remainder implements Choice, CandidateView {
  readonly #roster: Roster;
  /** What is left out, in ascending order. */
  readonly #places: readonly number[];
  readonly weight: number;

  constructor(roster: Roster, entries: readonly PoolEntry[]) {
    this.#roster = roster;
    this.#places = entries.map(entry => roster.placeOf(entry)).sort((one, other) => one - other);
    this.weight = entries.reduce((rest, { endpoint }) => rest - endpoint.weight, roster.weight);
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

  hasLeft(endpoint: Endpoint): boolean {
    return this.#roster.hasLeft(endpoint);
  }

  candidates(): readonly Candidate[] {
    const rest = [...this.#roster.candidates()];
    for (const place of this.#places.toReversed()) rest.splice(place, 1);
    return Object.freeze(rest);
  }
}
