import { expect, test } from "vitest";
import { down, secure, untrusted, vetted } from "../test/validated.js";

test("leaves out what is not trusted, or cannot be told, and says each once", async () => {
  await using it = await vetted();
  it.says.set("bad", untrusted("bad has expired")).set("down", down("down refused"));
  await it.offer(secure("a", "bad", "down", "b"));
  expect(it.sets()).toEqual(["a,b"]);
  const refusals = ["validation: bad [untrusted] bad has expired", "validation: down [refused] down refused"];
  expect(it.events()).toEqual(refusals);
  for (let count = 0; count < 5; count++) await it.refresh();
  expect(it.events()).toEqual([]);
  it.says.set("bad", undefined);
  await it.refresh();
  it.says.set("bad", untrusted("bad has expired"));
  await it.refresh();
  expect(it.sets()).toEqual(["a,bad,b", "a,b"]);
  expect(it.events()).toEqual(refusals.slice(0, 1));
});

test("an endpoint that is down at first joins once it passes", async () => {
  await using it = await vetted({ minRefreshMs: 1_000 });
  it.says.set("b", down("b refused"));
  await it.offer(secure("a", "b"));
  it.says.delete("b");
  await it.clock.advance(999);
  expect(it.sets()).toEqual(["a"]);
  await it.clock.advance(1);
  expect(it.sets()).toEqual(["a,b"]);
});

test("an endpoint that passed is kept while it is down, and dropped when it is untrusted", async () => {
  await using it = await vetted({ initial: secure("a", "b") });
  it.says.set("b", down("b refused"));
  await it.refresh();
  expect(it.sets()).toEqual(["a,b"]);
  expect(it.events()).toEqual([]);
  it.says.set("b", untrusted("b is not b"));
  await it.refresh();
  it.says.set("b", down("b refused"));
  await it.refresh();
  expect(it.sets()).toEqual(["a"]);
  expect(it.events()).toEqual(["validation: b [untrusted] b is not b", "validation: b [refused] b refused"]);
});

test("while nothing passes at the start, says why and keeps trying", async () => {
  await using it = await vetted({ minRefreshMs: 1_000 });
  for (const host of ["a", "b", "c", "d"]) it.says.set(host, untrusted(`${host} is bad`));
  await it.offer(secure("a", "b", "c", "d"));
  expect(it.sets()).toEqual([]);
  expect(it.events().at(-1)).toBe(
    "validation: [untrusted] no endpoint of 4 passes: a is bad; b is bad; c is bad; and 1 more, undefined",
  );
  await it.clock.advance(1_000);
  expect(it.events()).toEqual([]);
  it.says.delete("c");
  await it.clock.advance(2_000);
  expect(it.sets()).toEqual(["c"]);
  expect(it.events()).toEqual(["validation: recovered after 3000"]);
});

test("when all that were used become untrusted, the set is empty", async () => {
  await using it = await vetted({ initial: secure("a", "b") });
  for (const host of ["a", "b"]) it.says.set(host, untrusted(`${host} is bad`));
  await it.refresh();
  expect(it.sets().at(-1)).toBe("");
  expect(it.events().at(-1)).toBe(
    "validation: [untrusted] no endpoint of 2 passes: a is bad; b is bad, undefined",
  );
  it.says.delete("a");
  await it.refresh();
  expect(it.sets()).toEqual(["a"]);
});

test("when one that was used becomes untrusted and the others are down, the others are kept", async () => {
  await using it = await vetted({ initial: secure("a", "b") });
  it.says.set("a", untrusted("a is bad")).set("b", down("b refused"));
  await it.refresh();
  expect(it.sets()).toEqual(["a,b", "b"]);
});

test("a new set of which nothing can be told does not replace the last good one", async () => {
  await using it = await vetted({ initial: secure("a") });
  await it.clock.advance(10);
  it.says.set("b", down("b refused"));
  await it.offer(secure("b"));
  expect(it.sets()).toEqual(["a"]);
  expect(it.events().at(-1)).toBe("validation: [refused] no endpoint of 1 passes: b refused, 10");
  // What is still used is still checked, though its source no longer names it.
  it.says.set("a", untrusted("a is bad"));
  await it.refresh();
  expect(it.sets()).toEqual([""]);
  it.says.delete("b");
  it.checked();
  await it.refresh();
  expect(it.sets()).toEqual(["b"]);
});

test("a new set is yielded when all are judged, and waits for the slow no longer than a second", async () => {
  await using it = await vetted();
  it.says.set("slow", "never");
  await it.offer(secure("a", "slow"));
  await it.clock.advance(999);
  expect(it.sets()).toEqual([]);
  await it.clock.advance(1);
  expect(it.sets()).toEqual(["a"]);
  await it.offer(secure("b", "slower"));
  expect(it.sets()).toEqual(["b,slower"]);
});

test("an untrusted endpoint is dropped without waiting for the slow", async () => {
  await using it = await vetted({ initial: secure("a", "b") });
  it.says.set("a", untrusted("a is bad")).set("slow", "never");
  await it.offer(secure("a", "b", "slow"));
  expect(it.sets()).toEqual(["a,b", "b"]);
});

test("checks only what demands it, and what is gone no longer", async () => {
  const plain = { host: "plain", port: 2379, priority: 0, weight: 0 };
  await using it = await vetted({
    initial: [...secure("a", "b"), plain, { ...plain, host: "no", secure: false }],
  });
  expect(it.sets()).toEqual(["a,b,plain,no"]);
  expect(it.checked()).toEqual(["a", "b"]);
  await it.offer(secure("a"));
  expect(it.sets()).toEqual(["a"]);
  it.checked();
  await it.refresh();
  expect(it.checked()).toEqual(["a"]);
  await it.offer([plain]);
  it.checked();
  await it.refresh();
  expect(it.checked()).toEqual([]);
});

test("an endpoint that left and comes back is checked before it is used", async () => {
  await using it = await vetted({ initial: secure("a", "b") });
  await it.offer(secure("a"));
  it.says.set("b", down("b refused"));
  await it.offer(secure("a", "b"));
  expect(it.sets()).toEqual(["a,b", "a"]);
});
