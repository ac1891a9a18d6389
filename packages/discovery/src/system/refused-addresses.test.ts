import { expect, test } from "vitest";
import type { DnsClient } from "../dns/client.js";
import { createSystemLookup } from "./system-lookup.js";

/** A look-up of names for which DNS has these addresses. */
function answering(addresses: readonly string[]) {
  const refused: string[] = [];
  const dns = {
    addresses: async (name: string) => ({ name, addresses, exists: true, ttlMs: 1_000 }),
    forget() {},
  } as unknown as DnsClient;
  const lookup = createSystemLookup({
    dns: () => dns,
    hosts: "/dev/null",
    onRefused: (host, address) => refused.push(`${host} ${address}`),
  });
  return { lookup, refused };
}

test("link-local, unspecified and multicast addresses are refused from DNS, each with one warning", async () => {
  const { lookup, refused } = answering(["169.254.169.254", "10.0.0.1", "0.0.0.0", "224.0.0.1", "fe80::1"]);
  for (let time = 0; time < 2; time++) expect((await lookup("a.example.")).addresses).toEqual(["10.0.0.1"]);
  expect(refused).toEqual(
    ["169.254.169.254", "0.0.0.0", "224.0.0.1", "fe80::1"].map(one => `a.example. ${one}`),
  );
});

test("a name that leads to such addresses alone cannot be resolved, and the error says why", async () => {
  const { lookup } = answering(["169.254.169.254"]);
  await expect(lookup("a.example.")).rejects.toMatchObject({
    code: "name-not-resolved",
    detail:
      '"a.example." leads to 169.254.169.254, which is refused from DNS; if it is meant, list the address itself',
  });
});

test("loopback addresses are not refused", async () => {
  const { lookup, refused } = answering(["127.0.0.1"]);
  expect((await lookup("a.example.")).addresses).toEqual(["127.0.0.1"]);
  expect(refused).toEqual([]);
});
