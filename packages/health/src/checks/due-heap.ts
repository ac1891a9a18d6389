/** An item that is due at a time. Only the heap sets these fields. */
export interface Due {
  /** When, in milliseconds. */
  due: number;
  /** Where it is in its heap; -1 if it is in none. */
  place: number;
}

/** A binary heap: the item that is due first is at hand, and each change takes logarithmic time. */
export class DueHeap<Item extends Due> {
  readonly #items: Item[] = [];

  /** The one that is due first. */
  get first(): Item | undefined {
    return this.#items[0];
  }

  /** Adds `item`, which is in no heap. */
  add(item: Item, due: number): void {
    item.due = due;
    this.#put(item, this.#items.length);
    this.#rise(item);
  }

  /** Takes out `item`, which is in this heap. */
  delete(item: Item): void {
    const last = this.#items.pop();
    const { place } = item;
    item.place = -1;
    if (last === undefined || last === item) return;
    this.#put(last, place);
    this.#rise(last);
    this.#sink(last);
  }

  #rise(item: Item): void {
    while (item.place > 0) {
      const above = this.#items[(item.place - 1) >> 1] as Item;
      if (above.due <= item.due) return;
      this.#swap(above, item);
    }
  }

  #sink(item: Item): void {
    for (;;) {
      const [left, right] = [this.#items[2 * item.place + 1], this.#items[2 * item.place + 2]];
      const below = left && right && right.due < left.due ? right : left;
      if (!below || below.due >= item.due) return;
      this.#swap(item, below);
    }
  }

  #swap(above: Item, below: Item): void {
    const { place } = above;
    this.#put(above, below.place);
    this.#put(below, place);
  }

  #put(item: Item, place: number): void {
    this.#items[place] = item;
    item.place = place;
  }
}
