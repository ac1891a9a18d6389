import fc from "fast-check";
import { expect, test } from "vitest";
import { type Link, LinkedList } from "./linked-list.js";

class Item implements Link {
  previous: Link = this;
  next: Link = this;
}

test("holds what a Set would hold, in the same order, whatever is added and removed", () => {
  const choices = fc.array(fc.nat(), { maxLength: 100 });
  fc.assert(
    fc.property(choices, choices => {
      const items = Array.from({ length: 6 }, () => new Item());
      const list = new LinkedList<Item>();
      const set = new Set<Item>();
      for (const choice of choices) {
        const item = items[choice % items.length] as Item;
        if (set.delete(item)) {
          list.remove(item);
        } else {
          set.add(item);
          list.add(item);
        }
        expect(list.items().map(one => items.indexOf(one))).toEqual([...set].map(one => items.indexOf(one)));
        expect(list.size).toBe(set.size);
      }
    }),
  );
});

test("an item that has left one list may be in another", () => {
  const [one, other] = [new LinkedList<Item>(), new LinkedList<Item>()];
  const [first, second] = [new Item(), new Item()];
  for (const item of [first, second]) one.add(item);
  one.remove(first);
  other.add(first);
  expect(one.items()[0]).toBe(second);
  expect(other.items()[0]).toBe(first);
  expect([one.size, other.size]).toEqual([1, 1]);
});
