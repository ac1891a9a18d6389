import { manualClock, queue } from "@gw/testing";
import { expect, test } from "vitest";
import { type Lookup, Resolver } from "./resolver.js";

type Answer = { readonly addresses: readonly string[]; readonly ttlMs?: number };

/** A resolver whose look-ups the test answers. */
function rig(random = () => 0) {
  const clock = manualClock();
  const asked = queue<{ fresh: boolean; answer(answer: Answer): void; fail(error: Error): void }>();
  let lookups = 0;
  const lookup: Lookup = (_, { fresh = false } = {}) => {
    lookups += 1;
    return new Promise((answer, fail) => asked.put({ fresh, answer, fail }));
  };
  return { resolver: new Resolver(lookup, clock, random), clock, asked, lookups: () => lookups };
}

test("an answer is used for ten seconds, then once more while the next look-up is under way", async () => {
  const { resolver, clock, asked, lookups } = rig();
  const first = resolver.addresses("etcd.test");
  (await asked.take()).answer({ addresses: ["192.0.2.1"] });
  expect(await first).toEqual(["192.0.2.1"]);
  await clock.advance(10_000);
  expect(await resolver.addresses("etcd.test")).toEqual(["192.0.2.1"]);
  expect(lookups()).toBe(1);
  await clock.advance(1);
  expect(await resolver.addresses("etcd.test")).toEqual(["192.0.2.1"]);
  expect(lookups()).toBe(2);
  (await asked.take()).answer({ addresses: ["192.0.2.2"] });
  await resolver.refresh("etcd.test").catch(() => {});
  expect(await resolver.addresses("etcd.test")).toEqual(["192.0.2.2"]);
});

test("an answer is used for up to a fifth less, at random", async () => {
  const { resolver, clock, asked, lookups } = rig(() => 0.5);
  const first = resolver.addresses("etcd.test");
  (await asked.take()).answer({ addresses: ["192.0.2.1"] });
  await first;
  await clock.advance(9_000);
  await resolver.addresses("etcd.test");
  expect(lookups()).toBe(1);
  await clock.advance(1);
  await resolver.addresses("etcd.test");
  expect(lookups()).toBe(2);
});

test("a shorter TTL applies", async () => {
  const { resolver, clock, asked, lookups } = rig();
  const first = resolver.addresses("etcd.test");
  (await asked.take()).answer({ addresses: ["192.0.2.1"], ttlMs: 1_000 });
  await first;
  await clock.advance(1_001);
  await resolver.addresses("etcd.test");
  expect(lookups()).toBe(2);
});

test("an old answer is used only if no new one arrives", async () => {
  const { resolver, clock, asked } = rig();
  const first = resolver.addresses("etcd.test");
  (await asked.take()).answer({ addresses: ["192.0.2.1"] });
  await first;
  await clock.advance(60_001);
  const waiting = resolver.addresses("etcd.test");
  (await asked.take()).answer({ addresses: ["192.0.2.2"] });
  expect(await waiting).toEqual(["192.0.2.2"]);
  await clock.advance(60_001);
  const failing = resolver.addresses("etcd.test");
  (await asked.take()).fail(new Error("no server answers"));
  expect(await failing).toEqual(["192.0.2.2"]);
  const hanging = resolver.addresses("etcd.test");
  await clock.advance(250);
  expect(await hanging).toEqual(["192.0.2.2"]);
});

test("after forgetting, the next answer is waited for", async () => {
  const { resolver, asked } = rig();
  const first = resolver.addresses("etcd.test");
  (await asked.take()).answer({ addresses: ["192.0.2.1"] });
  await first;
  resolver.forget();
  const second = resolver.addresses("etcd.test");
  const { fresh, answer } = await asked.take();
  expect(fresh).toBe(true);
  answer({ addresses: ["192.0.2.2"] });
  expect(await second).toEqual(["192.0.2.2"]);
});

test("look-ups of one name at the same time are shared", async () => {
  const { resolver, asked, lookups } = rig();
  const all = [1, 2, 3].map(() => resolver.addresses("etcd.test"));
  (await asked.take()).answer({ addresses: ["192.0.2.1"] });
  expect(await Promise.all(all)).toEqual([["192.0.2.1"], ["192.0.2.1"], ["192.0.2.1"]]);
  expect(lookups()).toBe(1);
});

test("a name without addresses and a name that cannot be looked up are errors with a code", async () => {
  const { resolver, asked } = rig();
  const empty = resolver.addresses("etcd.test");
  (await asked.take()).answer({ addresses: [] });
  await expect(empty).rejects.toMatchObject({ code: "name-not-resolved" });
  const failed = resolver.addresses("etcd.test");
  (await asked.take()).fail(Object.assign(new Error("getaddrinfo"), { code: "EAI_AGAIN" }));
  await expect(failed).rejects.toMatchObject({ code: "name-not-resolved" });
});
