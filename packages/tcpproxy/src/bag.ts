/**
 * Items in no order, each at most once: adding and deleting one costs nothing but its place, which the item itself
 * keeps in a field for this bag.
 *
 * For what comes and goes with each connection, in place of a Set: V8 copies a Set from which items are deleted to a new
 * table again and again, and each old table refers to its items and to the new one. Once one of these tables has become
 * old garbage, all that follow it and their items, ended connections, survive each minor garbage collection.
 */
export class Bag<Place extends string, Item extends { [place in Place]: number }> {
  readonly #items: Item[] = [];
  readonly #place: Place;

  /** @param place the field of the items that is the bag's own; its first value may be any */
  constructor(place: Place) {
    this.#place = place;
  }

  get size(): number {
    return this.#items.length;
  }

  has(item: Item): boolean {
    return this.#items[item[this.#place]] === item;
  }

  /** Does nothing if it is in the bag already. */
  add(item: Item): void {
    if (!this.has(item)) this.#put(item, this.#items.length);
  }

  /** Returns whether it was in the bag. */
  delete(item: Item): boolean {
    if (!this.has(item)) return false;
    const last = this.#items.pop() as Item;
    if (last !== item) this.#put(last, item[this.#place]);
    return true;
  }

  /**
   * Visits each item that is not deleted meanwhile. When others are deleted, some may be visited twice; those that are
   * added are not visited.
   */
  *[Symbol.iterator](): Generator<Item> {
    for (let place = this.#items.length - 1; place >= 0; place--) {
      const item = this.#items[place];
      if (item) yield item;
    }
  }

  #put(item: Item, place: number): void {
    this.#items[place] = item;
    (item as Record<Place, number>)[this.#place] = place;
  }
}
