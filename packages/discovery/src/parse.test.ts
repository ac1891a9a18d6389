import { inspect } from "node:util";
import { type Endpoint, formatAddress, GatewayError, parseAddress, quote } from "@gw/interface";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseEndpoint, parseEndpoints } from "./parse.js";

/** The result of `parse`, or the message of its error. */
function refusal(text: string, parse: (text: string) => unknown = parseEndpoint): string {
  try {
    return `accepted: ${JSON.stringify(parse(text))}`;
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== "invalid-endpoint") throw error;
    return error.detail;
  }
}

function endpoint(host: string, port: number, secure?: boolean): Endpoint {
  return { host, port, priority: 0, weight: 0, ...(secure === undefined ? {} : { secure }) };
}

describe("an endpoint", () => {
  test.each([
    ["10.0.0.1", endpoint("10.0.0.1", 2379)],
    ["10.0.0.1:1", endpoint("10.0.0.1", 1)],
    ["infra0.example.com", endpoint("infra0.example.com", 2379)],
    ["Infra0.Example.COM:65535", endpoint("infra0.example.com", 65_535)],
    ["infra0.example.com.:2379", endpoint("infra0.example.com.", 2379)],
    ["[::1]", endpoint("::1", 2379)],
    ["[::1]:7001", endpoint("::1", 7001)],
    ["[2001:DB8:0::1]:7001", endpoint("2001:db8::1", 7001)],
    ["[fe80::1%eth0]:7001", endpoint("fe80::1%eth0", 7001)],
    ["http://[fe80::1%25eth0]:7001", endpoint("fe80::1%eth0", 7001, false)],
    ["https://[fe80::1%eth0]/", endpoint("fe80::1%eth0", 2379, true)],
    ["http://10.0.0.1", endpoint("10.0.0.1", 2379, false)],
    ["http://10.0.0.1:7001", endpoint("10.0.0.1", 7001, false)],
    ["http://10.0.0.1/", endpoint("10.0.0.1", 2379, false)],
    ["https://10.0.0.1", endpoint("10.0.0.1", 2379, true)],
    ["https://infra0.example.com:7001/v3/kv?a=b#c", endpoint("infra0.example.com", 7001, true)],
    ["https://[::1]", endpoint("::1", 2379, true)],
    ["https://[::1]:7001/path", endpoint("::1", 7001, true)],
    ["HTTPS://infra0:7001", endpoint("infra0", 7001, true)],
    ["https://user@infra0:7001", endpoint("infra0", 7001, true)],
    ["https://user:p@ss:word@infra0:7001/path", endpoint("infra0", 7001, true)],
    ["https://infra0:7001/path@elsewhere:1", endpoint("infra0", 7001, true)],
    ["https://infra0?to=user@elsewhere", endpoint("infra0", 2379, true)],
    ["https://infra0#user@elsewhere", endpoint("infra0", 2379, true)],
    ["  10.0.0.1:7001\t", endpoint("10.0.0.1", 7001)],
  ])("is parsed from %j", (text, expected) => {
    expect(parseEndpoint(text)).toStrictEqual(expected);
  });

  test.each(["7001abc", "abc", "", "-5", "+5", "65536", "99999", "0", "1e3", "0x10", "02379", " 1"])(
    "is refused with port %j",
    port => {
      for (const host of ["infra0", "[::1]", "https://infra0", "https://[::1]"])
        expect(refusal(`${host}:${port}`)).toBe(
          `endpoint ${quote(`${host}:${port}`)}: port ${quote(port)} is not a number from 1 to 65535`,
        );
      expect(refusal(`http://user:pw@infra0:${port}/path`)).toContain(`port ${quote(port)} is not a number`);
    },
  );

  test.each([
    ["", "is empty"],
    ["   ", "is empty"],
    [":2379", "has no host"],
    ["::1", "an IPv6 address needs brackets: [::1]"],
    ["::1:2379", "an IPv6 address needs brackets: [::1:2379]"],
    ["2001:db8::1", "an IPv6 address needs brackets: [2001:db8::1]"],
    ["http://2001:db8::1", "an IPv6 address needs brackets: [2001:db8::1]"],
    ["unix:///run/etcd.sock", 'scheme "unix" is not supported; use http, https or none'],
    ["unixs://localhost:1", 'scheme "unixs" is not supported; use http, https or none'],
    ["tcp://10.0.0.1:2379", 'scheme "tcp" is not supported; use http, https or none'],
    ["FTP://10.0.0.1", 'scheme "ftp" is not supported; use http, https or none'],
    ["http://", "has no host"],
    ["http:///path", "has no host"],
    ["http://user@", "has no host"],
    ["http://user:pw@", "has no host"],
    ["https://user@/path", "has no host"],
    ["http://:2379", "has no host"],
    ["http:/10.0.0.1", 'port "/10.0.0.1" is not a number from 1 to 65535'],
    ["//10.0.0.1", '"//10.0.0.1" is not a host name or an IP address'],
    ["infra0/path", '"infra0/path" is not a host name or an IP address'],
    ["[::1", "is not of the form host:port or [IPv6]:port"],
    ["[infra0]:2379", '"infra0" in brackets is not an IPv6 address'],
  ])("%j is rejected with the reason", (text, why) => {
    expect(refusal(text)).toBe(`endpoint ${quote(text.trim())}: ${why}`);
  });

  test.each([
    ["user:pw@infra0:2379", '"…@infra0:2379": a user and password need http:// or https:// in front of them'],
    ["user@infra0:2379", '"…@infra0:2379": a user and password need http:// or https:// in front of them'],
    ["http://user:pw@infra0:0", '"http://…@infra0:0": port "0" is not a number from 1 to 65535'],
    [
      "http://user:p/w@infra0:1",
      '"http://…@infra0:1": in a user or password, write / as %2F, ? as %3F and # as %23',
    ],
  ])("%j is rejected without showing text before the @", (text, why) => {
    expect(refusal(text)).toBe(`endpoint ${why}`);
  });

  test("is rejected without showing a part of a password, alone and in a list", () => {
    const parts = fc.record({
      scheme: fc.constantFrom("http://", "https://", "unix://", ""),
      password: fc
        .string({ unit: fc.constantFrom(..."a0:/?#@,.[] %"), maxLength: 12 })
        .map(text => `SECRET${text}SECRET`),
      behind: fc.constantFrom("infra0:0", "[::1", "..", "", "a b"),
      list: fc.constantFrom("", "infra1,", "http://u:x@infra1,"),
    });
    fc.assert(
      fc.property(parts, ({ scheme, password, behind, list }) => {
        const text = `${list}${scheme}user:${password}@${behind}`;
        for (const parse of [parseEndpoint, parseEndpoints])
          try {
            parse(text);
          } catch (error) {
            expect(inspect(error)).not.toContain("SECRET");
          }
      }),
      { seed: 8, numRuns: 1_000 },
    );
  });

  test.each([
    "a b",
    "a\u0000b",
    "a\nb",
    "a\u001b31m",
    "a\u2028b",
    "..",
    "a..b",
    "-a",
    "a-",
    "a".repeat(300),
    "a".repeat(64),
    `${"a.".repeat(127)}a`,
    "1.2.3",
    "1.2.3.4.5",
    "999.1.1.1",
    "0x7f.1",
    "bücher.example",
    "例え",
    "\u212aelvin",
    "*",
  ])("%j is rejected for its host", host => {
    const why = `${quote(host)} is not a host name or an IP address`;
    expect(refusal(host)).toBe(`endpoint ${quote(host)}: ${why}`);
    expect(refusal(`https://${host}:7001`)).toBe(`endpoint ${quote(`https://${host}:7001`)}: ${why}`);
  });

  test("is frozen", () => {
    expect(Object.isFrozen(parseEndpoint("infra0"))).toBe(true);
  });

  test("is rejected with a cause", () => {
    expect(() => parseEndpoint("infra0:0")).toThrow(
      expect.objectContaining({ code: "invalid-endpoint", cause: expect.any(GatewayError) }),
    );
  });
});

describe("any text", () => {
  const pieces = [
    "http://",
    "https://",
    "unix://",
    "[",
    "]",
    ":",
    "::1",
    "@",
    "/",
    ".",
    "-",
    " ",
    "\n",
    "é",
    "1",
    "a",
  ];
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string())).map(parts => parts.join("")),
  );

  /** Texts that were parsed wrongly once here or in `etcd gateway`, and similar ones. */
  const corpus = [
    "",
    " ",
    ",",
    "h:7001abc",
    "h:99999",
    "h:-5",
    "::1",
    "[::1",
    "[fe80::1%25eth0]:1",
    "http://",
    "http://@",
    "http://u:p@",
    "unix:///p",
    "http:/h",
    "//h",
    "h:1:2",
    "h.:1",
    "1.2.3",
    "0x7f.1",
    "\u212aelvin",
    "\u001b[31m",
    "h\u202e",
    "\ud800",
    "http://[::1]:1/p@th",
    "http://u:p/w@h",
    "a".repeat(300),
  ];

  test("is an endpoint that can be formatted and parsed again, or is rejected in one line", () => {
    fc.assert(
      fc.property(text, input => {
        try {
          const { host: absolute, port } = parseEndpoint(input);
          // The dot of an absolute name is dropped.
          const host = absolute.replace(/\.$/, "");
          expect(parseAddress(formatAddress({ host, port }))).toEqual({ host, port });
          expect(parseEndpoint(formatAddress({ host, port }))).toMatchObject({ host, port });
        } catch (error) {
          expect(error).toMatchObject({ name: "GatewayError", code: "invalid-endpoint" });
          expect((error as GatewayError).detail).toMatch(/^endpoint ".*$/u);
          expect((error as GatewayError).detail).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        }
      }),
      { seed: 1, numRuns: 5_000, examples: corpus.map(input => [input] as [string]) },
    );
  });

  test("is a list whose endpoints can be formatted and parsed again, or is rejected in one line", () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 3 }), items => {
        try {
          const { endpoints } = parseEndpoints(items.join(","));
          expect(endpoints.length).toBeGreaterThan(0);
          expect(parseEndpoints(endpoints.map(formatAddress).join()).duplicates).toEqual([]);
        } catch (error) {
          expect(error).toMatchObject({ name: "GatewayError", code: "invalid-endpoint" });
          expect((error as GatewayError).detail).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        }
      }),
      { seed: 2, numRuns: 2_000, examples: corpus.map(input => [[input, input]] as [string[]]) },
    );
  });
});

test("an endpoint of valid parts is parsed to these parts", () => {
  const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?$/);
  const name = fc.array(label, { minLength: 1, maxLength: 4 }).map(labels => labels.join("."));
  const v6 = fc.ipV6().map(text => parseAddress(`[${text}]:1`).host);
  const parts = fc.record({
    host: fc.oneof(name, fc.ipV4(), v6),
    port: fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }),
    scheme: fc.constantFrom("", "http://", "https://", "HTTP://", "Https://"),
    user: fc.constantFrom("", "user@", "user:password@", "u@s:e:r@"),
    rest: fc.constantFrom("", "/", "/v3/kv", "/a@b:1", "?a=b", "#c"),
    space: fc.constantFrom("", " ", "\t"),
  });
  fc.assert(
    fc.property(parts, ({ host, port, scheme, user, rest, space }) => {
      const shown = host.includes(":") ? `[${host}]` : host;
      const authority = port === undefined ? shown : `${shown}:${port}`;
      const url = scheme ? `${scheme}${user}${authority}${rest}` : authority;
      const secure = scheme ? scheme.toLowerCase() === "https://" : undefined;
      expect(parseEndpoint(`${space}${url}${space}`)).toStrictEqual(endpoint(host, port ?? 2379, secure));
    }),
    { seed: 3, numRuns: 2_000 },
  );
});

describe("a list of endpoints", () => {
  test("is split at commas, and spaces around its items are trimmed", () => {
    const { endpoints, duplicates } = parseEndpoints(" infra0 ,\tinfra1:7001,https://[::1] ");
    expect(endpoints).toStrictEqual([
      endpoint("infra0", 2379),
      endpoint("infra1", 7001),
      endpoint("::1", 2379, true),
    ]);
    expect(duplicates).toEqual([]);
  });

  test("has each endpoint once, as it was mentioned first, and returns the duplicates", () => {
    const { endpoints, duplicates } = parseEndpoints(
      "http://infra0,infra1,INFRA0:2379,[::1],https://infra0/,[0:0::1]:2379,infra0:2380",
    );
    expect(endpoints).toStrictEqual([
      endpoint("infra0", 2379, false),
      endpoint("infra1", 2379),
      endpoint("::1", 2379),
      endpoint("infra0", 2380),
    ]);
    expect(duplicates).toEqual(["infra0:2379", "infra0:2379", "[::1]:2379"]);
  });

  test.each(["", " ", "\n"])("is refused when it is empty: %j", list => {
    expect(refusal(list, parseEndpoints)).toBe("the list of endpoints is empty");
  });

  test.each([",", "a,", ",a", "a,,b", "a, ,b"])("is refused when an item is empty: %j", list => {
    expect(refusal(list, parseEndpoints)).toBe(`the list of endpoints ${quote(list)} has an empty item`);
  });

  test("is rejected for its first invalid item, which is named", () => {
    expect(refusal("infra0,infra1:x,infra2:y", parseEndpoints)).toBe(
      'endpoint "infra1:x": port "x" is not a number from 1 to 65535',
    );
  });
});
