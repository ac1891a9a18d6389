import type { DialStock, PlannedDial } from "@gw/interface";
import type { Binding, Engine } from "./binding.js";

/** Where a stock is while a listener of its relay is open. */
interface Place {
  readonly binding: Binding;
  readonly engine: Engine;
  /** The number of the stock in the engine. */
  readonly number: number;
}

/** More than the engine holds in one stock, since clients that have taken dials are reported later. A power of two. */
const places = 1024;

/**
 * A stock of the engine, whose threads take dials from it. Dials have consecutive tickets, by which the engine reports
 * which of them a client has taken.
 */
export class NativeStock implements DialStock {
  #place: Place | undefined;
  /** By ticket, modulo {@link places}: those in stock, and those that clients have taken without having been reported. */
  readonly #dials: (PlannedDial | undefined)[] = Array(places).fill(undefined);
  /** The next ticket. */
  #next = 0;

  /** Opens it in `engine`. @returns its number there; -1 without memory */
  open(binding: Binding, engine: Engine): number {
    if (this.#place?.engine === engine) return this.#place.number;
    const number = binding.newStock(engine);
    this.#dials.fill(undefined);
    this.#next = 0;
    this.#place = number < 0 ? undefined : { binding, engine, number };
    return number;
  }

  /**
   * Takes all dials back from `engine`, whose listeners are closed.
   *
   * @returns whether clients of it have taken dials that were not reported yet
   */
  hasUnreported(engine: Engine): boolean {
    if (this.#place?.engine !== engine) return false;
    this.takeBack();
    return this.#dials.some(dial => dial !== undefined);
  }

  /** `engine` has ended. */
  close(engine: Engine): void {
    if (this.#place?.engine !== engine) return;
    this.#place = undefined;
    this.#dials.fill(undefined);
  }

  /** A client has taken the dial with this ticket, and is reported now. */
  taken(ticket: number): PlannedDial | undefined {
    const place = ticket % places;
    const dial = this.#dials[place];
    this.#dials[place] = undefined;
    return dial;
  }

  add(dials: readonly PlannedDial[]): number {
    if (!this.#place) return 0;
    const { binding, engine, number } = this.#place;
    let added = 0;
    while (added < dials.length) {
      const first = dials[added] as PlannedDial;
      let equal = 0;
      while (this.#isFree(equal) && isSame(first, dials[added + equal])) equal += 1;
      const list = first.addresses.flatMap(({ host, port }) => [host, port]);
      const count = equal && binding.stock(engine, number, list, engineMs(first.timeoutMs), equal);
      for (const end = added + count; added < end; added++) {
        this.#dials[this.#next % places] = dials[added];
        this.#next = (this.#next + 1) >>> 0;
      }
      if (count === 0 || count < equal) break;
    }
    return added;
  }

  /** Whether the place of the ticket that is so many after the next is free. */
  #isFree(after: number): boolean {
    return this.#dials[(this.#next + after) % places] === undefined;
  }

  take(): PlannedDial | undefined {
    if (!this.#place) return undefined;
    const { binding, engine, number } = this.#place;
    const ticket = binding.takeStocked(engine, number);
    return ticket < 0 ? undefined : this.taken(ticket);
  }

  takeBack(): readonly PlannedDial[] {
    if (!this.#place) return [];
    const { binding, engine, number } = this.#place;
    const count = binding.unstock(engine, number);
    const first = (this.#next - count) >>> 0;
    const dials: PlannedDial[] = [];
    for (let ticket = first; ticket !== this.#next; ticket = (ticket + 1) >>> 0)
      dials.push(this.taken(ticket) as PlannedDial);
    this.#next = first;
    return dials;
  }
}

/** A time for the engine: whole milliseconds, rounded up, at most 2³¹ − 1. */
export function engineMs(ms: number): number {
  return Math.min(Math.ceil(ms), 2 ** 31 - 1);
}

function isSame(one: PlannedDial, other: PlannedDial | undefined): boolean {
  if (one.timeoutMs !== other?.timeoutMs) return false;
  if (one.addresses === other.addresses) return true;
  if (one.addresses.length !== other.addresses.length) return false;
  return one.addresses.every(({ host, port }, index) => {
    const address = other.addresses[index];
    return address?.host === host && address.port === port;
  });
}
