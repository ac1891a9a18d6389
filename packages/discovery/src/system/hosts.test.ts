import { mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { followHosts, hostAddresses } from "./hosts.js";

const text = `# a comment
127.0.0.1\tlocalhost  infra0.test.
::1 localhost ip6-localhost #infra1.test
10.0.0.1 infra0.test infra0 # infra2.test
10.0.0.1 infra0.test
\t fe80::1%eth0   linked
fe80::2 linked
300.0.0.1 infra3.test
10.0.0.4
10.0.0.5 xinfra4.test infra4.testx infra4.test
infra5.test 10.0.0.6
10.0.0.7 last.test`;

describe("a hosts file", () => {
  test.each([
    ["localhost", ["127.0.0.1", "::1"]],
    ["LocalHost.", ["127.0.0.1", "::1"]],
    ["ip6-localhost", ["::1"]],
    ["infra0.test", ["127.0.0.1", "10.0.0.1"]],
    ["infra0", ["10.0.0.1"]],
    ["infra1.test", []],
    ["infra2.test", []],
    ["linked", ["fe80::1%eth0"]],
    ["infra3.test", []],
    ["infra4.test", ["10.0.0.5"]],
    ["infra5.test", []],
    ["last.test", ["10.0.0.7"]],
    ["10.0.0.4", []],
    ["test", []],
    ["", []],
    [".", []],
    ["#", []],
    ["a b", []],
  ])("has for %j %j", (name, addresses) => {
    expect(hostAddresses(text, name)).toEqual(addresses);
    expect(hostAddresses(text.replaceAll("\n", "\r\n"), name)).toEqual(addresses);
  });

  test("is found quickly although it blocks a hundred thousand domains", () => {
    const blocked = Array.from({ length: 100_000 }, (_, index) => `0.0.0.0 ad${index}.example.com\n`).join(
      "",
    );
    expect(hostAddresses(`${blocked}10.0.0.1 infra0.test\n`, "infra0.test")).toEqual(["10.0.0.1"]);
  });

  test("with endless lines for one name gives some of its addresses", () => {
    const lines = Array.from({ length: 1_000 }, (_, index) => `10.0.${index >> 8}.${index & 255} a\n`);
    expect(hostAddresses(lines.join(""), "a")).toHaveLength(64);
  });

  test("is read again when it was changed or replaced, and stays in use while it is missing", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gw-hosts-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, "hosts");
    const hosts = followHosts(path);
    expect(await hosts("a")).toEqual([]);
    await writeFile(path, "10.0.0.1 A\n");
    expect(await hosts("a")).toEqual(["10.0.0.1"]);
    await writeFile(path, "10.0.0.22 a\n");
    expect(await hosts("a")).toEqual(["10.0.0.22"]);
    await writeFile(join(folder, "next"), "10.0.0.33 a\n");
    await rename(join(folder, "next"), path);
    expect(await hosts("a")).toEqual(["10.0.0.33"]);
    await rm(path);
    expect(await hosts("a")).toEqual(["10.0.0.33"]);
  });
});

/** A literal implementation of hosts(5), regardless of speed. */
function model(file: string, name: string): readonly string[] {
  const plain = (word: string): string =>
    word.replace(/[A-Z]/g, letter => letter.toLowerCase()).replace(/\.$/, "");
  const found: string[] = [];
  for (const line of file.split("\n")) {
    const [address = "", ...names] = (line.split("#")[0] ?? "").split(/[ \t\r\f\v]+/).filter(Boolean);
    const lower = plain(`${address}`.concat("."));
    const usable = isIP(lower) > 0 && !/^fe[89ab][0-9a-f]:[^%]*$/.test(lower);
    if (usable && names.map(plain).includes(plain(name)) && !found.includes(lower)) found.push(lower);
  }
  return plain(name) === "" || /[\s#]/.test(plain(name)) ? [] : found.slice(0, 64);
}

const corpus = new URL("../../test/corpus/hosts/", import.meta.url);

describe("the addresses of names in any hosts file are correct", () => {
  const check = (file: string, names: readonly string[]): void => {
    const lower = file.replace(/[A-Z]+/g, letters => letters.toLowerCase());
    for (const name of names) expect(hostAddresses(lower, name)).toEqual(model(file, name));
  };
  const names = ["a", "A.", "b.test", "localhost", "a.b", "é", "..", "10.0.0.1", "%", "constructor"];

  test("by a corpus", async () => {
    const files = await readdir(corpus);
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      const content = (await readFile(new URL(file, corpus))).toString("latin1");
      check(content, [...names, ...content.split(/\s+/).slice(0, 100)]);
    }
  });

  test("by chance", () => {
    const pieces = fc.constantFrom(
      ...["10.0.0.1", "::1", "fe80::1", "fe80::1%lo", "a", "A", "a.", "b.test", "ab", "ba", "#", " ", "\t"],
      ...["\n", "\r\n", "\r", "\0", "é", "\x85", "127.1", "é.", "LOCALHOST", ".", "..", "%"],
    );
    const file = fc.oneof(
      fc.array(pieces, { maxLength: 60 }).map(parts => parts.join("")),
      fc.array(pieces, { maxLength: 60 }).map(parts => parts.join(" ")),
      fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes).toString("latin1")),
    );
    fc.assert(
      fc.property(file, fc.constantFrom(...names), (content, name) => check(content, [name])),
      { numRuns: 5_000, interruptAfterTimeLimit: 3_000 },
    );
  });
});
