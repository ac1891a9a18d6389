import { isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { candidateNames } from "./name.js";
import { parseResolvConf } from "./resolv-conf.js";

const loopback = [{ host: "127.0.0.1", port: 53 }];

describe("a resolver configuration", () => {
  test("has servers, search domains and options", () => {
    const text = `
# made by hand
; also a comment
nameserver 10.0.0.1
nameserver\tfd00::1  # the second
search a.example.com. b.example.com
options ndots:5 timeout:3 attempts:4 rotate edns0
`;
    expect(parseResolvConf(text, "host")).toEqual({
      servers: [
        { host: "10.0.0.1", port: 53 },
        { host: "fd00::1", port: 53 },
      ],
      search: ["a.example.com", "b.example.com"],
      ndots: 5,
      timeoutMs: 3_000,
      attempts: 4,
      rotate: true,
      edns0: true,
    });
  });

  test("uses three servers, also link-local ones with their zone, and skips invalid addresses", () => {
    const text = ["x", "1.2.3", "", "fe80::1%eth0", "10.0.0.1", "10.0.0.2", "10.0.0.3"]
      .map(host => `nameserver ${host}`)
      .join("\r\n");
    expect(parseResolvConf(text).servers.map(({ host }) => host)).toEqual([
      "fe80::1%eth0",
      "10.0.0.1",
      "10.0.0.2",
    ]);
  });

  test("uses the last of search and domain", () => {
    expect(parseResolvConf("search a b\ndomain c", "host").search).toEqual(["c"]);
    expect(parseResolvConf("domain c\nsearch a b", "host").search).toEqual(["a", "b"]);
  });

  test("searches the domain of the machine's name by default", () => {
    expect(parseResolvConf("", "host.example.com").search).toEqual(["example.com"]);
    expect(parseResolvConf("", "host").search).toEqual([]);
    expect(parseResolvConf("search .", "host.example.com").search).toEqual(["."]);
  });

  test.each([
    ["ndots:99 timeout:99 attempts:99", { ndots: 15, timeoutMs: 30_000, attempts: 5 }],
    [`ndots:${"9".repeat(400)} timeout:${"9".repeat(400)}`, { ndots: 15, timeoutMs: 30_000 }],
    ["ndots:0 timeout:0 attempts:0", { ndots: 0, timeoutMs: 1_000, attempts: 1 }],
    ["ndots: timeout:x attempts:-1 -attempts:3 rotate:1 ROTATE toString ndots", { ndots: 1 }],
    ["timeout:1 timeout:2\noptions\noptions attempts:3", { ndots: 1, timeoutMs: 2_000, attempts: 3 }],
    [
      "use-vc single-request no-aaaa no-tld-query no-reload",
      { ndots: 1, useVc: true, singleRequest: true, noAaaa: true, noTldQuery: true, noReload: true },
    ],
    ["rotate use-vc -edns0\noptions -rotate", { ndots: 1, rotate: false, useVc: true, edns0: false }],
    [
      "debug inet6 no-check-names ip6-dotint single-request-reopen trust-ad strict-error unheard-of",
      { ndots: 1 },
    ],
  ])("parses %j within the limits", (words, expected) => {
    const { servers, search, ...options } = parseResolvConf(`options ${words}`, "host");
    expect(options).toEqual(expected);
  });

  test("may have comments after values, after addresses without a blank, and at the beginning of lines", () => {
    const text =
      "nameserver 10.0.0.1#53\nnameserver 10.0.0.2;x\n#nameserver 10.0.0.3\n ; search x\nsearch a ; b\noptions ndots:2 # ndots:3";
    expect(parseResolvConf(text, "host")).toEqual({
      servers: [
        { host: "10.0.0.1", port: 53 },
        { host: "10.0.0.2", port: 53 },
      ],
      search: ["a"],
      ndots: 2,
    });
  });

  test("without values has no effect", () => {
    expect(parseResolvConf("search a\nsearch\ndomain  \nnameserver", "host").search).toEqual(["a"]);
  });

  test("searches 32 domains at most", () => {
    const domains = Array.from({ length: 40 }, (_, index) => `d${index}`);
    expect(parseResolvConf(`search ${domains.join(" ")}`).search).toEqual(domains.slice(0, 32));
  });

  test("without servers uses the local one", () => {
    expect(parseResolvConf("nameserver\nsearch a").servers).toEqual(loopback);
  });
});

describe("the environment", () => {
  test("replaces the search list, also by none", () => {
    const LOCALDOMAIN = "a.example.com. b";
    expect(parseResolvConf("search x\ndomain y", "host.z", { LOCALDOMAIN }).search).toEqual([
      "a.example.com",
      "b",
    ]);
    expect(parseResolvConf("search x", "host.z", { LOCALDOMAIN: "" }).search).toEqual([]);
  });

  test("adds options after those of the file", () => {
    const text = "options ndots:5 timeout:3 rotate";
    expect(parseResolvConf(text, "host", { RES_OPTIONS: "ndots:2\tuse-vc -rotate" })).toMatchObject({
      ndots: 2,
      timeoutMs: 3_000,
      rotate: false,
      useVc: true,
    });
  });
});

describe("any resolver configuration", () => {
  /** Texts that some parser has failed on. */
  const corpus: readonly [text: string][] = [
    [""],
    ["\0\0\0"],
    ["\ufeffnameserver 10.0.0.1"],
    ["nameserver"],
    ["nameserver ::ffff:10.0.0.1%"],
    ["nameserver fe80::1%eth0%eth1"],
    ["nameserver 0x7f.1\nnameserver 010.0.0.1\nnameserver 127.1"],
    ["search . .. ... a..b .c d."],
    ["search \u2028 \u0000 b\u00fccher \ud800"],
    [`domain ${"x".repeat(70_000)}`],
    [`search${" a".repeat(40_000)}`],
    ["options ndots:-0 ndots:1e9 ndots:0x10 timeout:\u0663 attempts:00000000000000000000"],
    ["options __proto__ constructor hasOwnProperty -__proto__"],
    ["options:ndots:3\roptions ndots:4\r\n\r\r\nsearch a\r"],
    ["sortlist 130.155.160.0/255.255.240.0\nlookup file bind\nfamily inet6 inet4"],
    ["nameserver 10.0.0.1\n".repeat(5_000)],
  ];

  test("is parsed within the limits, and can be used", () => {
    const word = fc.oneof(
      fc.constantFrom("nameserver", "search", "domain", "options", "#", ";", ".", "10.0.0.1", "fe80::1%eth0"),
      fc.constantFrom("ndots:", "timeout:", "attempts:", "-", "rotate", "use-vc", "edns0", "no-aaaa"),
      fc.string({ unit: "binary", maxLength: 12 }),
      fc.nat().map(String),
    );
    const separator = fc.constantFrom("", " ", "\t", "\n", "\r\n", "\0");
    const text = fc.array(fc.tuple(word, separator), { maxLength: 60 }).map(parts => parts.flat().join(""));
    fc.assert(
      fc.property(fc.oneof(text, fc.string({ unit: "binary", maxLength: 200 })), content => {
        for (const read of [
          parseResolvConf(content, content),
          parseResolvConf("", "host", { LOCALDOMAIN: content, RES_OPTIONS: content }),
        ]) {
          expect(read.servers.length).toBeGreaterThan(0);
          expect(read.servers.length).toBeLessThanOrEqual(3);
          for (const { host } of read.servers) expect(isIP(host)).not.toBe(0);
          expect(read.search.length).toBeLessThanOrEqual(32);
          expect([...Array(16).keys()]).toContain(read.ndots);
          expect([undefined, 1, 2, 3, 4, 5]).toContain(read.attempts);
          expect(read.timeoutMs ?? 1_000).toBeGreaterThanOrEqual(1_000);
          expect(read.timeoutMs ?? 1_000).toBeLessThanOrEqual(30_000);
          for (const name of candidateNames("infra0", read)) expect(name).toMatch(/^[!-~]{1,253}\.$/);
        }
      }),
      { examples: [...corpus], numRuns: 3_000, interruptAfterTimeLimit: 2_000 },
    );
  });
});
