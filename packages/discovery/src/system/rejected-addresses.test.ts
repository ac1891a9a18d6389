import { expect, test } from "vitest";
import type { DnsClient } from "../dns/client.js";
import { createSystemLookup } from "./system-lookup.js";

/** A look-up in a DNS that has these addresses for each name. */
function lookupOf(addresses: readonly string[]) {
  const rejected: string[] = [];
  const dns = {
    addresses: async (name: string) => ({ name, addresses, exists: true, ttlMs: 1_000 }),
    forget() {},
  } as unknown as DnsClient;
  const lookup = createSystemLookup({
    dns: () => dns,
    hosts: "/dev/null",
    onRejected: (host, address) => rejected.push(`${host} ${address}`),
  });
  return { lookup, rejected };
}

test("link-local, unspecified and multicast addresses are rejected from DNS, each with one warning", async () => {
  const { lookup, rejected } = lookupOf(["169.254.169.254", "10.0.0.1", "0.0.0.0", "224.0.0.1", "fe80::1"]);
  for (let time = 0; time < 2; time++) expect((await lookup("a.example.")).addresses).toEqual(["10.0.0.1"]);
  expect(rejected).toEqual(
    ["169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1"].map(one => `a.example. ${one}`),
  );
});

test("a name with no other addresses cannot be resolved, and the error has the reason", async () => {
  const { lookup } = lookupOf(["169.254.169.254"]);
  await expect(lookup("a.example.")).rejects.toMatchObject({
    code: "name-not-resolved",
    detail:
      '"a.example." resolves to 169.254.169.254, which is rejected from DNS; to use it, list the address itself',
  });
});

test("loopback addresses are not rejected", async () => {
  const { lookup, rejected } = lookupOf(["127.0.0.1"]);
  expect((await lookup("a.example.")).addresses).toEqual(["127.0.0.1"]);
  expect(rejected).toEqual([]);
});
