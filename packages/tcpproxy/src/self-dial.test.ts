import { networkInterfaces } from "node:os";
import { expect, test } from "vitest";
import { isSelfDial } from "./index.js";

const own = Object.values(networkInterfaces())
  .flatMap(list => list ?? [])
  .map(({ address }) => address);

test.each([
  ["127.0.0.1", "127.0.0.1", true],
  ["127.0.0.2", "127.0.0.1", false],
  ["127.0.0.1", "0.0.0.0", true],
  ["127.8.9.10", "0.0.0.0", true],
  ["0.0.0.0", "127.0.0.1", true],
  ["0.0.0.0", "0.0.0.0", true],
  ["::1", "0.0.0.0", false],
  ["::1", "::1", true],
  ["::1", "::", true],
  ["::", "::1", true],
  ["127.0.0.1", "::", true],
  ["::ffff:127.0.0.1", "127.0.0.1", true],
  ["127.0.0.1", "::ffff:127.0.0.1", true],
  ["192.0.2.1", "0.0.0.0", false],
  ["2001:db8::1", "::", false],
])("a connection to %s reaches a listener on %s: %s", (target, listener, reaches) => {
  expect(isSelfDial({ host: target, port: 23790 }, [{ host: listener, port: 23790 }])).toBe(reaches);
  expect(isSelfDial({ host: target, port: 2379 }, [{ host: listener, port: 23790 }])).toBe(false);
});

test.each(own)("the local address %s reaches a wildcard listener", address => {
  expect(isSelfDial({ host: address, port: 1 }, [{ host: "::", port: 1 }])).toBe(true);
});

test("no address reaches a listener where none listens", () => {
  expect(isSelfDial({ host: "127.0.0.1", port: 1 }, [])).toBe(false);
});
