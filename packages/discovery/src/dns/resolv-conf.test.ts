import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { followResolvConf, parseResolvConf } from "./resolv-conf.js";

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
    });
  });

  test("counts three servers, among them link-local ones with their zone, and skips what is no address", () => {
    const text = ["x", "1.2.3", "", "fe80::1%eth0", "10.0.0.1", "10.0.0.2", "10.0.0.3"]
      .map(host => `nameserver ${host}`)
      .join("\r\n");
    expect(parseResolvConf(text).servers.map(({ host }) => host)).toEqual([
      "fe80::1%eth0",
      "10.0.0.1",
      "10.0.0.2",
    ]);
  });

  test("of search and domain has the last", () => {
    expect(parseResolvConf("search a b\ndomain c", "host").search).toEqual(["c"]);
    expect(parseResolvConf("domain c\nsearch a b", "host").search).toEqual(["a", "b"]);
  });

  test("searches the domain of the machine's name when it names none", () => {
    expect(parseResolvConf("", "host.example.com").search).toEqual(["example.com"]);
    expect(parseResolvConf("", "host").search).toEqual([]);
    expect(parseResolvConf("search .", "host.example.com").search).toEqual(["."]);
  });

  test("caps its options as resolv.conf(5) does, and skips those that make no sense", () => {
    const caps = { ndots: 15, timeoutMs: 30_000, attempts: 5 };
    expect(parseResolvConf("options ndots:99 timeout:99 attempts:99")).toMatchObject(caps);
    const { servers, search, ...options } = parseResolvConf("options ndots: timeout:0 attempts:-1 ndots:x");
    expect(options).toEqual({ ndots: 1 });
  });

  test("without servers means the local one", () => {
    expect(parseResolvConf("nameserver\nsearch a").servers).toEqual(loopback);
  });
});

describe("the resolver configuration file", () => {
  test("is read again when it was replaced, and holds on while it is gone", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gw-resolv-"));
    try {
      const path = join(folder, "resolv.conf");
      const servers = followResolvConf(path);
      expect((await servers()).servers).toEqual(loopback);
      await writeFile(path, "nameserver 10.0.0.1\n");
      const first = await servers();
      expect(first.servers).toEqual([{ host: "10.0.0.1", port: 53 }]);
      expect(await servers()).toBe(first);
      await writeFile(join(folder, "next"), "nameserver 10.0.0.2\n");
      await rename(join(folder, "next"), path);
      expect((await servers()).servers).toEqual([{ host: "10.0.0.2", port: 53 }]);
      await rm(path);
      expect((await servers()).servers).toEqual([{ host: "10.0.0.2", port: 53 }]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
