import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { certificateNameFault, serverNameOf } from "./certificate-names.js";

/** Whether a certificate with these alternative names is for `host`. */
const isFor = (names: string | undefined, host: string): boolean =>
  certificateNameFault(names, [host]) === undefined;

describe("a certificate", () => {
  // As in Go's x509.Certificate.VerifyHostname.
  test.each([
    ["DNS:example.com", "example.com"],
    ["DNS:Example.COM", "eXample.com."],
    ["DNS:other.org, DNS:example.com", "example.com"],
    ["DNS:*.example.com", "etcd-0.example.com"],
    ["DNS:*.example.com", "ETCD-0.Example.Com."],
    ["DNS:*.etcd", "etcd-0.etcd"],
    ["DNS:*.com", "example.com"],
    ["DNS:etcd_0.example.com", "etcd_0.example.com"],
    ["DNS:localhost", "localhost"],
    ["IP Address:10.0.0.1", "10.0.0.1"],
    ["IP Address:10.0.0.1", "::ffff:10.0.0.1"],
    ["IP Address:0:0:0:0:0:0:0:1", "::1"],
    ["IP Address:2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["IP Address:FE80:0:0:0:0:0:0:1", "fe80::1%eth0"],
    ['URI:spiffe://x/y, email:a@b, DirName:"CN=a, O=b", DNS:example.com', "example.com"],
  ])("with %j is for %s", (names, host) => {
    expect(isFor(names, host)).toBe(true);
  });

  test.each([
    [undefined, "example.com"],
    ["", "example.com"],
    ["DNS:h*.example.com", "host.example.com"],
    ["DNS:*t.example.com", "host.example.com"],
    ["DNS:h*t.example.com", "host.example.com"],
    ["DNS:*", "localhost"],
    ["DNS:*.example.com", "example.com"],
    ["DNS:*.example.com", "a.b.example.com"],
    ["DNS:*.*.example.com", "a.b.example.com"],
    ["DNS:a.*.com", "a.example.com"],
    ["DNS:*.example.com.", "a.example.com"],
    ["DNS:example.com", "www.example.com"],
    ["DNS:xexample.com", "example.com"],
    ["DNS:*.0.0.1", "10.0.0.1"],
    ["DNS:10.0.0.1", "10.0.0.1"],
    ["URI:http://10.0.0.1/", "10.0.0.1"],
    ["URI:https://example.com/, email:a@example.com", "example.com"],
    ["IP Address:10.0.0.1", "10.0.0.2"],
    ["IP Address:10.0.0.1", "example.com"],
    ["IP Address:<invalid>", "10.0.0.1"],
    ['DNS:"example.com, DNS:other.org"', "other.org"],
    ['URI:"http://x/, DNS:example.com"', "example.com"],
    ['email:"a, DNS:example.com', "example.com"],
    ['DNS:"example.com\\u0000.evil.org"', "example.com"],
    ["DNS:example.com, garbage", "example.com"],
    ["DNS:", ""],
    ["DNS:\u212aelvin.example.com", "kelvin.example.com"],
  ])("with %j is not for %s", (names, host) => {
    expect(isFor(names, host)).toBe(false);
  });

  test("may be for any one of several hosts", () => {
    expect(certificateNameFault("DNS:example.com", ["10.0.0.1", "example.com"])).toBeUndefined();
    expect(certificateNameFault("DNS:example.com", ["10.0.0.1", "example.org."])).toBe(
      'its certificate is not for "10.0.0.1" or "example.org", but for "DNS:example.com"',
    );
    expect(certificateNameFault(undefined, ["h"])).toBe(
      'its certificate has no names (no subject alternative names), so not "h"',
    );
  });

  test("is for a host only by its whole name, or by its parent and a wildcard", () => {
    const label = fc.stringMatching(/^[a-z0-9_][a-z0-9_-]{0,5}$/);
    const name = fc.array(fc.oneof(label, fc.constantFrom("*", "a*", "")), { minLength: 1, maxLength: 4 });
    const host = fc.array(label, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(name, { maxLength: 3 }), host, (carried, labels) => {
        const asked = labels.join(".");
        fc.pre(!/^\d+$/.test(labels.at(-1) ?? ""));
        const names = carried.map(one => one.join("."));
        const wildcard = labels.length > 1 ? `*.${labels.slice(1).join(".")}` : asked;
        const expected = names.includes(asked) || names.includes(wildcard);
        expect(isFor(names.map(one => `DNS:${one}`).join(", "), asked)).toBe(expected);
      }),
      { seed: 1, numRuns: 3_000 },
    );
  });

  test("can have any text in it", () => {
    const piece = fc.oneof(
      fc.constantFrom("DNS:", "IP Address:", "URI:", ", ", '"', "\\", "example.com", "10.0.0.1", "*.", "::1"),
      fc.string({ unit: "binary", maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), pieces => {
        const names = pieces.join("");
        expect(certificateNameFault(names, ["not.there.example.org", "192.0.2.1"])).toBeTypeOf("string");
      }),
      { seed: 2, numRuns: 1_000, examples: [[["DNS:a".repeat(20_000)]], [["A ".repeat(20_000)]]] },
    );
  });
});

test("the server name of a handshake is the first that is no IP address", () => {
  expect(serverNameOf(["Etcd-0.Example.com."])).toBe("etcd-0.example.com");
  expect(serverNameOf(["10.0.0.1", "example.com"])).toBe("example.com");
  expect(serverNameOf(["::1", "fe80::1%eth0"])).toBe("");
});
