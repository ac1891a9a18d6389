import { expect, test } from "vitest";
import { isRefusedFromDns, scopeOf } from "./address-scope.js";

test.each([
  ["127.0.0.1", "loopback"],
  ["127.255.0.9", "loopback"],
  ["::1", "loopback"],
  ["::ffff:127.0.0.1", "loopback"],
  ["::ffff:7f00:1", "loopback"],
  ["169.254.169.254", "link-local"],
  ["::ffff:169.254.169.254", "link-local"],
  ["fe80::1", "link-local"],
  ["fe80::1%eth0", "link-local"],
  ["febf::1", "link-local"],
  ["0.0.0.0", "unspecified"],
  ["0.1.2.3", "unspecified"],
  ["::", "unspecified"],
  ["224.0.0.1", "multicast"],
  ["239.255.255.255", "multicast"],
  ["255.255.255.255", "multicast"],
  ["ff02::1", "multicast"],
  ["10.0.0.1", undefined],
  ["128.0.0.1", undefined],
  ["169.253.0.1", undefined],
  ["fec0::1", undefined],
  ["2001:db8::1", undefined],
  ["localhost", undefined],
  ["", undefined],
])("the scope of %j is %s", (address, scope) => {
  expect(scopeOf(address)).toBe(scope);
  expect(isRefusedFromDns(address)).toBe(scope !== undefined && scope !== "loopback");
});
