import { isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GatewayError } from "../error.js";
import { quote } from "../quote.js";
import { type Address, formatAddress, parseAddress } from "./address.js";

/** The error of parseAddress for `text`. */
function complaintAbout(text: string, options?: Parameters<typeof parseAddress>[1]): string {
  try {
    return `accepted as ${formatAddress(parseAddress(text, options))}`;
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== "invalid-address") throw error;
    return error.detail;
  }
}

const label = fc.stringMatching(/^[a-z0-9_]([a-z0-9_-]{0,10}[a-z0-9_])?$/);
const name = fc
  .tuple(
    fc.array(label, { maxLength: 4 }),
    fc.stringMatching(/^[a-z_][a-z0-9_]{0,10}$/),
    fc.constantFrom("", "."),
  )
  .map(([labels, last, dot]) => [...labels, last].join(".") + dot);
const port = fc.integer({ min: 1, max: 65_535 });
const host = fc.oneof(name, fc.ipV4(), fc.ipV6().map(canonical));

function canonical(v6: string): string {
  return parseAddress(`[${v6}]:1`).host;
}

/** A formatted address: without the dot of an absolute name. */
function relative({ host, port }: Address): Address {
  return { host: host.replace(/\.$/, ""), port };
}

describe("parseAddress", () => {
  test("parses the output of formatAddress", () => {
    fc.assert(
      fc.property(fc.record({ host, port }, { noNullPrototype: true }), address => {
        expect(parseAddress(formatAddress(address))).toEqual(relative(address));
      }),
      { seed: 1, numRuns: 2_000 },
    );
  });

  test("parses any text to an address that formatAddress formats back, or rejects it in one line", () => {
    const pieces = fc.constantFrom(
      "[",
      "]",
      ":",
      "::",
      ".",
      "-",
      "a",
      "1",
      "2379",
      "%",
      "@",
      "/",
      " ",
      "\n",
      "é",
    );
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(pieces).map(parts => parts.join("")),
    );
    fc.assert(
      fc.property(text, input => {
        try {
          const address = parseAddress(input, { defaultPort: 2379 });
          expect(parseAddress(formatAddress(address))).toEqual(relative(address));
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
          expect(error).toMatchObject({ code: "invalid-address" });
          expect((error as GatewayError).detail).toMatch(/^.+$/u);
        }
      }),
      { seed: 2, numRuns: 5_000 },
    );
  });

  test.each([
    ["localhost:1", "localhost", 1],
    ["127.0.0.1:65535", "127.0.0.1", 65_535],
    ["ETCD-0.Example.COM:2379", "etcd-0.example.com", 2379],
    ["etcd.example.com.:2379", "etcd.example.com.", 2379],
    ["_etcd_1:2379", "_etcd_1", 2379],
    ["7eleven:2379", "7eleven", 2379],
    ["[::1]:2379", "::1", 2379],
    ["[0:0:0:0:0:0:0:1]:2379", "::1", 2379],
    ["[2001:DB8:0:0::00A1]:2379", "2001:db8::a1", 2379],
    ["[::FFFF:10.0.0.1]:2379", "::ffff:10.0.0.1", 2379],
    ["[FE80::1%eth0]:2379", "fe80::1%eth0", 2379],
    ["[fe80::1%2]:2379", "fe80::1%2", 2379],
    ["[fe80::1%25]:2379", "fe80::1%25", 2379],
    ["[fe80::1%25eth0]:2379", "fe80::1%eth0", 2379],
    [`${"a".repeat(63)}:2379`, "a".repeat(63), 2379],
    [`${"a.".repeat(126)}a:1`, `${"a.".repeat(126)}a`, 1],
    [`${"a.".repeat(126)}a.:1`, `${"a.".repeat(126)}a.`, 1],
  ])("reads %s", (text, host, port) => {
    expect(parseAddress(text)).toEqual({ host, port });
  });

  test.each([
    ["[fe80::1%25eth0]:1", "fe80::1%eth0"],
    ["[fe80::1%25en%2e1]:1", "fe80::1%en.1"],
    ["[fe80::1%253]:1", "fe80::1%3"],
    ["[fe80::1%eth0]:1", "fe80::1%eth0"],
    ["[fe80::1%25]:1", "fe80::1%25"],
  ])("reads the zone of %s in a URL", (text, host) => {
    expect(parseAddress(text, { url: true })).toEqual({ host, port: 1 });
  });

  test.each([
    ["[fe80::1]:2379", "a link-local address needs its interface, as in [fe80::1%eth0]"],
    ["[febf:0::1]:2379", "a link-local address needs its interface, as in [febf::1%eth0]"],
    [
      "[2001:db8::1%eth0]:2379",
      '"2001:db8::1%eth0" has a zone, which only link-local addresses (fe80::/10) have',
    ],
    ["[::1%lo]:2379", '"::1%lo" has a zone, which only link-local addresses (fe80::/10) have'],
    ["[fe80::1%]:2379", 'zone "" is not the name of an interface; its number can be used as well'],
    ["[fe80::1%a b]:2379", 'zone "a b" is not the name of an interface; its number can be used as well'],
    ["[fe80::1%25%0a]:2379", 'zone "25%0a" is not the name of an interface; its number can be used as well'],
  ])("refuses %s", (text, complaint) => {
    expect(complaintAbout(text)).toBe(complaint);
  });

  test.each(["localhost", "10.0.0.1", "[::1]"])("gives %s the default port", text => {
    expect(parseAddress(text, { defaultPort: 2379 }).port).toBe(2379);
    expect(complaintAbout(text)).toBe("has no port");
  });

  test("accepts port 0 only if any free port is allowed", () => {
    expect(parseAddress("localhost:0", { allowPortZero: true }).port).toBe(0);
    expect(complaintAbout("localhost:0")).toBe('port "0" is not a number from 1 to 65535');
    expect(complaintAbout("localhost:-1", { allowPortZero: true })).toBe(
      'port "-1" is not a number from 0 to 65535',
    );
  });

  test.each([
    "",
    "7001abc",
    "abc",
    "-5",
    "+5",
    "65536",
    "99999",
    "1e3",
    "0x10",
    "02379",
    " 1",
    "1 ",
    "1.0",
    "1\n",
    "١",
  ])("refuses %j as a port", port => {
    for (const host of ["localhost", "[::1]"])
      expect(complaintAbout(`${host}:${port}`)).toBe(
        `port ${JSON.stringify(port)} is not a number from 1 to 65535`,
      );
  });

  test.each([
    [".."],
    ["."],
    ["a..b"],
    [".a"],
    ["-a"],
    ["a-"],
    ["a.-b"],
    ["a b"],
    [" a"],
    ["a\n"],
    ["a\u0000"],
    ["a/b"],
    ["user@host"],
    ["*"],
    ["bücher"],
    ["\u212aelvin"],
    ["1.2.3"],
    ["1.2.3.4.5"],
    ["999.1.1.1"],
    ["1.2.3.4."],
    ["01.2.3.4"],
    ["0x7f.1"],
    ["0x7f"],
    ["2379"],
    ["a.1"],
    ["a".repeat(64)],
    [`${"a.".repeat(125)}aaaa`],
  ])("refuses %j as a host", host => {
    expect(complaintAbout(`${host}:2379`)).toBe(`${quote(host)} is not a host name or an IP address`);
  });

  test.each([
    ["", "is empty"],
    [":2379", "has no host"],
    ["::1", "an IPv6 address needs brackets: [::1]"],
    ["::1:2379", "an IPv6 address needs brackets: [::1:2379]"],
    ["2001:db8::1", "an IPv6 address needs brackets: [2001:db8::1]"],
    ["[]:1", '"" in brackets is not an IPv6 address'],
    ["[localhost]:1", '"localhost" in brackets is not an IPv6 address'],
    ["[127.0.0.1]:1", '"127.0.0.1" in brackets is not an IPv6 address'],
    ["[::1%]:1", '"::1%" has a zone, which only link-local addresses (fe80::/10) have'],
    ["[::1", "is not of the form host:port or [IPv6]:port"],
    ["[[::1]]:1", "is not of the form host:port or [IPv6]:port"],
    ["[::1]1", "is not of the form host:port or [IPv6]:port"],
    ["a]:1", "is not of the form host:port or [IPv6]:port"],
    ["a:b:1", 'port "b:1" is not a number from 1 to 65535'],
  ])("rejects %j with the reason", (text, complaint) => {
    expect(complaintAbout(text, { defaultPort: 2379 })).toBe(complaint);
  });
});

test("formatAddress puts IPv6, and nothing else, in brackets", () => {
  fc.assert(
    fc.property(host, port, (host, port) => {
      const plain = relative({ host, port }).host;
      expect(formatAddress({ host, port })).toBe(isIPv6(host) ? `[${host}]:${port}` : `${plain}:${port}`);
    }),
    { seed: 3 },
  );
});
