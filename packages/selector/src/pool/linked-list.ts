/** Something that can be in one {@link LinkedList} at a time. The links are the list's own. */
export interface Link {
  previous: Link;
  next: Link;
}

/**
 * A list whose links are in its items: unlike a Set it takes no memory of its own, and it never has to move a
 * hundred thousand items at once because it outgrew its table.
 */
export class LinkedList<Item extends Link> {
  /** Before the first item and after the last. */
  readonly #ends: Link = unlinked({} as Link);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Puts an item that is in no list at the end of this one. */
  add(item: Item): void {
    const last = this.#ends.previous;
    last.next = item;
    item.previous = last;
    item.next = this.#ends;
    this.#ends.previous = item;
    this.#size += 1;
  }

  /** Takes out an item that is in this list. */
  remove(item: Item): void {
    item.previous.next = item.next;
    item.next.previous = item.previous;
    unlinked(item);
    this.#size -= 1;
  }

  /** In the order in which they were added. The list must not change meanwhile. */
  *[Symbol.iterator](): Generator<Item> {
    for (let link = this.#ends.next; link !== this.#ends; link = link.next) yield link as Item;
  }

  /** The items there are now, in the order in which they were added. */
  items(): Item[] {
    return this.itemsWhile(() => true);
  }

  /** The items that were added last, the newest first, `most` at most. */
  newest(most: number): Item[] {
    const items: Item[] = [];
    for (let link = this.#ends.previous; link !== this.#ends && items.length < most; link = link.previous)
      items.push(link as Item);
    return items;
  }

  /** The first items for which `holds` is true, up to one for which it is not. */
  itemsWhile(holds: (item: Item) => boolean): Item[] {
    const items: Item[] = [];
    for (let link = this.#ends.next; link !== this.#ends; link = link.next) {
      if (!holds(link as Item)) break;
      items.push(link as Item);
    }
    return items;
  }
}

/** `link`, in no list. */
function unlinked(link: Link): Link {
  link.previous = link;
  link.next = link;
  return link;
}
