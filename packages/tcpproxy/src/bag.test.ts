import { expect, test } from "vitest";
import { Bag } from "./bag.js";

class Item {
  place = 0;
}

function bagOf(items: readonly Item[]): Bag<"place", Item> {
  const bag = new Bag<"place", Item>("place");
  for (const item of items) bag.add(item);
  return bag;
}

test("it has what was added and not deleted, each once", () => {
  const items = Array.from({ length: 5 }, () => new Item());
  const bag = bagOf([...items, ...items]);
  expect(bag.size).toBe(5);
  const [first, second, , , last] = items as [Item, Item, Item, Item, Item];
  expect([bag.delete(first), bag.delete(first), bag.delete(last)]).toEqual([true, false, true]);
  expect(items.map(item => bag.has(item))).toEqual([false, true, true, true, false]);
  expect([...bag].length).toBe(3);
  bag.add(first);
  bag.delete(second);
  expect(new Set(bag)).toEqual(new Set(items.filter(item => item !== second && item !== last)));
});

test("an item that is not in the bag takes the place of none that is", () => {
  const [inside, outside] = [new Item(), new Item()];
  const bag = bagOf([inside]);
  expect([bag.has(outside), bag.delete(outside), bag.size]).toEqual([false, false, 1]);
});

test.each([0, 1, 2, 3, 4, 5, 6, 7])("each of eight is visited that visit %i does not delete", at => {
  for (let deleted = 0; deleted < 256; deleted++) {
    const items = Array.from({ length: 8 }, () => new Item());
    const gone = items.filter((_, index) => (deleted >> index) & 1);
    const bag = bagOf(items);
    const [before, after] = [new Set<Item>(), new Set<Item>()];
    let visit = 0;
    for (const item of bag) {
      (visit <= at ? before : after).add(item);
      if (visit++ === at) for (const one of gone) bag.delete(one);
    }
    for (const item of items) {
      if (gone.includes(item)) expect(after.has(item)).toBe(false);
      else expect(before.has(item) || after.has(item)).toBe(true);
    }
  }
});

test("what is added during a visit is not visited", () => {
  const bag = bagOf([new Item(), new Item()]);
  let visits = 0;
  for (const _ of bag) {
    bag.add(new Item());
    visits += 1;
  }
  expect([visits, bag.size]).toEqual([2, 4]);
});
