import { manualClock } from "@gw/testing";
import { expect, test } from "vitest";
import { createRememberedAddresses } from "./remembered-addresses.js";

/** A look-up whose answers the test gives. */
function rig(saved: readonly string[] = ["10.0.0.1"]) {
  const clock = manualClock();
  const reported: string[] = [];
  const asked: { answer(addresses: readonly string[]): void; fail(): void }[] = [];
  const addresses = createRememberedAddresses(new Map([["infra0", saved]]), {
    clock,
    onUsed: (host, _, why) => reported.push(`${host} used: ${why}`),
    onDropped: host => reported.push(`${host} dropped`),
  });
  const lookup = addresses.wrap(
    () =>
      new Promise((resolve, reject) => {
        asked.push({
          answer: found => resolve({ addresses: found, ttlMs: 60_000 }),
          fail: () => reject(new Error("SERVFAIL")),
        });
      }),
  );
  return { clock, reported, asked, addresses, lookup };
}

test("addresses are remembered in place of a look-up that fails, until one has succeeded", async () => {
  const { lookup, asked, addresses, reported, clock } = rig();
  const first = lookup("infra0");
  asked[0]?.fail();
  expect(await first).toEqual({ addresses: ["10.0.0.1"], ttlMs: 5_000 });
  expect(addresses.isRemembered("infra0")).toBe(true);
  const second = lookup("infra0");
  asked[1]?.fail();
  await second;
  const third = lookup("infra0");
  asked[2]?.answer(["10.0.0.2"]);
  expect(await third).toEqual({ addresses: ["10.0.0.2"], ttlMs: 60_000 });
  expect(addresses.isRemembered("infra0")).toBe(false);
  const fourth = lookup("infra0");
  asked[3]?.fail();
  await expect(fourth).rejects.toThrow("SERVFAIL");
  expect(reported).toEqual(["infra0 used: look-up: SERVFAIL", "infra0 dropped"]);
  expect(clock.pending).toBe(0);
});

test("a look-up that takes long is bridged after a second, and its late answer counts", async () => {
  const { lookup, asked, addresses, reported, clock } = rig();
  const first = lookup("infra0");
  await clock.advance(999);
  expect(reported).toEqual([]);
  await clock.advance(1);
  expect(await first).toMatchObject({ addresses: ["10.0.0.1"] });
  asked[0]?.answer(["10.0.0.2"]);
  await clock.advance(0);
  expect(reported).toEqual(["infra0 used: no answer within 1s", "infra0 dropped"]);
  expect(addresses.current().get("infra0")).toEqual(["10.0.0.2"]);
});

test("a host that is not remembered is looked up as usual", async () => {
  const { lookup, asked, addresses, clock } = rig();
  const failing = lookup("infra9");
  asked[0]?.fail();
  await expect(failing).rejects.toThrow("SERVFAIL");
  const answered = lookup("infra9");
  asked[1]?.answer(["10.0.0.9"]);
  await answered;
  expect(clock.pending).toBe(0);
  // Of those that are remembered, only hosts that this run asked for.
  expect(addresses.current()).toEqual(new Map([["infra9", ["10.0.0.9"]]]));
});

test("what was remembered is saved again while it is used", async () => {
  const { lookup, asked, addresses } = rig();
  const bridged = lookup("infra0");
  asked[0]?.fail();
  await bridged;
  expect(addresses.current()).toEqual(new Map([["infra0", ["10.0.0.1"]]]));
});
