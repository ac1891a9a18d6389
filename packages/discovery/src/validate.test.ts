import { expect, test } from "vitest";
import { down, secure, untrusted, watchValidated } from "../test/validated.js";

test("rejects endpoints that are untrusted or cannot be checked, and reports each once", async () => {
  await using it = await watchValidated();
  it.results.set("bad", untrusted("bad has expired")).set("down", down("down refused"));
  await it.offer(secure("a", "bad", "down", "b"));
  expect(it.sets()).toEqual(["a,b"]);
  const refusals = ["validation: bad [untrusted] bad has expired", "validation: down [refused] down refused"];
  expect(it.events()).toEqual(refusals);
  for (let count = 0; count < 5; count++) await it.refresh();
  expect(it.events()).toEqual([]);
  it.results.set("bad", undefined);
  await it.refresh();
  it.results.set("bad", untrusted("bad has expired"));
  await it.refresh();
  expect(it.sets()).toEqual(["a,bad,b", "a,b"]);
  expect(it.events()).toEqual(refusals.slice(0, 1));
});

test("an endpoint that is down at first is added once it passes", async () => {
  await using it = await watchValidated({ minRefreshMs: 1_000 });
  it.results.set("b", down("b refused"));
  await it.offer(secure("a", "b"));
  it.results.delete("b");
  await it.clock.advance(999);
  expect(it.sets()).toEqual(["a"]);
  await it.clock.advance(1);
  expect(it.sets()).toEqual(["a,b"]);
});

test("an endpoint that passed is kept while it is down, and removed when it is untrusted", async () => {
  await using it = await watchValidated({ initial: secure("a", "b") });
  it.results.set("b", down("b refused"));
  await it.refresh();
  expect(it.sets()).toEqual(["a,b"]);
  expect(it.events()).toEqual([]);
  it.results.set("b", untrusted("b is not b"));
  await it.refresh();
  it.results.set("b", down("b refused"));
  await it.refresh();
  expect(it.sets()).toEqual(["a"]);
  expect(it.events()).toEqual(["validation: b [untrusted] b is not b", "validation: b [refused] b refused"]);
});

test("while nothing passes at the start, reports why and keeps trying", async () => {
  await using it = await watchValidated({ minRefreshMs: 1_000 });
  for (const host of ["a", "b", "c", "d"]) it.results.set(host, untrusted(`${host} is bad`));
  await it.offer(secure("a", "b", "c", "d"));
  expect(it.sets()).toEqual([]);
  expect(it.events().at(-1)).toBe(
    "validation: [untrusted] no endpoint of 4 passes: a is bad; b is bad; c is bad; and 1 more, undefined",
  );
  await it.clock.advance(1_000);
  expect(it.events()).toEqual([]);
  it.results.delete("c");
  await it.clock.advance(2_000);
  expect(it.sets()).toEqual(["c"]);
  expect(it.events()).toEqual(["validation: recovered after 3000"]);
});

test("when all that were used become untrusted, the set is empty", async () => {
  await using it = await watchValidated({ initial: secure("a", "b") });
  for (const host of ["a", "b"]) it.results.set(host, untrusted(`${host} is bad`));
  await it.refresh();
  expect(it.sets().at(-1)).toBe("");
  expect(it.events().at(-1)).toBe(
    "validation: [untrusted] no endpoint of 2 passes: a is bad; b is bad, undefined",
  );
  it.results.delete("a");
  await it.refresh();
  expect(it.sets()).toEqual(["a"]);
});

test("when one that was used becomes untrusted and the others are down, the others are kept", async () => {
  await using it = await watchValidated({ initial: secure("a", "b") });
  it.results.set("a", untrusted("a is bad")).set("b", down("b refused"));
  await it.refresh();
  expect(it.sets()).toEqual(["a,b", "b"]);
});

test("a new set of which no endpoint can be checked does not replace the last good one", async () => {
  await using it = await watchValidated({ initial: secure("a") });
  await it.clock.advance(10);
  it.results.set("b", down("b refused"));
  await it.offer(secure("b"));
  expect(it.sets()).toEqual(["a"]);
  expect(it.events().at(-1)).toBe("validation: [refused] no endpoint of 1 passes: b refused, 10");
  // An endpoint that is still used is still checked, though its source has removed it.
  it.results.set("a", untrusted("a is bad"));
  await it.refresh();
  expect(it.sets()).toEqual([""]);
  it.results.delete("b");
  it.checked();
  await it.refresh();
  expect(it.sets()).toEqual(["b"]);
});

test("a new set is yielded when all endpoints are checked, after a second without the slow ones", async () => {
  await using it = await watchValidated();
  it.results.set("slow", "never");
  await it.offer(secure("a", "slow"));
  await it.clock.advance(999);
  expect(it.sets()).toEqual([]);
  await it.clock.advance(1);
  expect(it.sets()).toEqual(["a"]);
  await it.offer(secure("b", "slower"));
  expect(it.sets()).toEqual(["b,slower"]);
});

test("an untrusted endpoint is removed without waiting for slow checks", async () => {
  await using it = await watchValidated({ initial: secure("a", "b") });
  it.results.set("a", untrusted("a is bad")).set("slow", "never");
  await it.offer(secure("a", "b", "slow"));
  expect(it.sets()).toEqual(["a,b", "b"]);
});

test("checks only endpoints that demand it, until they are removed", async () => {
  const plain = { host: "plain", port: 2379, priority: 0, weight: 0 };
  await using it = await watchValidated({
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

test("an endpoint that was removed and is added again is checked before it is used", async () => {
  await using it = await watchValidated({ initial: secure("a", "b") });
  await it.offer(secure("a"));
  it.results.set("b", down("b refused"));
  await it.offer(secure("a", "b"));
  expect(it.sets()).toEqual(["a,b", "a"]);
});
