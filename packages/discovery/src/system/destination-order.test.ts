import { expect, test } from "vitest";
import { sortDestinations } from "./destination-order.js";

const nothing = { v4: false, global6: false, local6: false, loopback6: false };
const dual = { v4: true, global6: true, local6: false, loopback6: true };

test.each([
  ["both families", dual, ["10.0.0.1", "2001:db8::1"], ["2001:db8::1", "10.0.0.1"]],
  [
    "IPv4 alone",
    { ...nothing, v4: true },
    ["2001:db8::1", "::1", "10.0.0.1"],
    ["10.0.0.1", "::1", "2001:db8::1"],
  ],
  ["IPv6 alone", { ...nothing, global6: true }, ["10.0.0.1", "2001:db8::1"], ["2001:db8::1", "10.0.0.1"]],
  ["both, towards a network of others", dual, ["fd00::1", "10.0.0.1"], ["10.0.0.1", "fd00::1"]],
  [
    "IPv4 and an own network",
    { ...nothing, v4: true, local6: true },
    ["2001:db8::1", "10.0.0.1"],
    ["10.0.0.1", "2001:db8::1"],
  ],
  ["loopback of both", dual, ["127.0.0.1", "::1"], ["::1", "127.0.0.1"]],
  ["loopback of IPv4 alone", nothing, ["::1", "127.0.0.1"], ["127.0.0.1", "::1"]],
  ["several of a kind", dual, ["10.0.0.2", "10.0.0.1"], ["10.0.0.2", "10.0.0.1"]],
])("with %s", (_, own, addresses, ordered) => {
  expect(sortDestinations(addresses, own)).toEqual(ordered);
});

test("the default is this machine's own addresses", () => {
  expect(sortDestinations(["192.0.2.1", "127.0.0.1"])).toContain("127.0.0.1");
});
