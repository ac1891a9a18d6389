import { expect, test } from "vitest";
import { type Due, DueHeap } from "./due-heap.js";

test("the first is always one that is due first", () => {
  let seed = 2_379;
  const random = (limit: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % limit;
  };
  const heap = new DueHeap<Due>();
  const items = Array.from({ length: 50 }, (): Due => ({ due: 0, place: -1 }));
  const inside = new Set<Due>();
  const earliest = (): number | undefined =>
    inside.size > 0 ? Math.min(...[...inside].map(({ due }) => due)) : undefined;
  for (let step = 0; step < 20_000; step++) {
    const item = items[random(items.length)] as Due;
    if (inside.delete(item)) heap.delete(item);
    else {
      // Few values, so that many are due at the same time, and some never.
      const due = random(12);
      heap.add(item, due === 11 ? Infinity : due);
      inside.add(item);
    }
    expect(heap.first?.due).toBe(earliest());
    expect(item.place >= 0).toBe(inside.has(item));
  }
  for (let first = heap.first; first; first = heap.first) {
    expect(first.due).toBe(earliest());
    heap.delete(first);
    inside.delete(first);
  }
  expect(inside.size).toBe(0);
});
