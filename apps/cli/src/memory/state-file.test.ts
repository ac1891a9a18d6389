import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GatewayError } from "@gw/interface";
import { runProgram } from "@gw/testing";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { formatState, parseState, readState, type State, stateLimits, writeState } from "./state-file.js";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-state-file-"));
  path = join(folder, "endpoints.json");
});
afterEach(() => rm(folder, { recursive: true }));

const state: State = {
  savedAt: Date.UTC(2026, 0, 2),
  discovery: "--discovery-srv=example.com",
  clusterId: "cdf818194e3a8c32",
  endpoints: [
    { host: "infra0.example.com.", port: 2379, priority: 0, weight: 50, secure: true },
    { host: "::1", port: 1, priority: 65_535, weight: 0 },
    { host: "fe80::1%eth0", port: 2379, priority: 0, weight: 0, secure: false },
  ],
  addresses: new Map([["infra0.example.com.", ["10.0.1.10", "fd00::1"]]]),
};
const isRoot = process.geteuid?.() === 0;

/** What the reader makes of a text: a state, or why not. */
function parsed(text: string): State | string {
  try {
    return parseState(text);
  } catch (error) {
    if (error instanceof GatewayError) return error.detail;
    throw error;
  }
}

describe("the text of a state", () => {
  const port = fc.integer({ min: 1, max: 65_535 });
  const share = fc.integer({ min: 0, max: 65_535 });
  const host = fc.oneof(fc.domain(), fc.ipV4(), fc.constantFrom("a.b.", "fd00::1", "localhost"));
  const endpoint = fc.record(
    { host, port, priority: share, weight: share, secure: fc.boolean() },
    { requiredKeys: ["host", "port", "priority", "weight"] },
  );
  const states: fc.Arbitrary<State> = fc.record({
    savedAt: fc.integer({ min: 0, max: Date.UTC(2100, 0) }),
    discovery: fc.string({ unit: "grapheme" }),
    clusterId: fc.option(fc.stringMatching(/^[0-9a-f]{1,16}$/), { nil: undefined }),
    endpoints: fc.array(endpoint, { maxLength: 5 }),
    addresses: fc
      .array(fc.tuple(fc.domain(), fc.array(fc.ipV4(), { minLength: 1, maxLength: 3 })), { maxLength: 3 })
      .map(entries => new Map(entries)),
  });

  test("is read as it was written", () => {
    fc.assert(fc.property(states, given => void expect(parseState(formatState(given))).toEqual(given)));
  });

  test("is no state when it is cut anywhere", () => {
    const text = formatState(state);
    for (let length = 0; length < text.length - 1; length++)
      expect(parsed(text.slice(0, length)), `${length} characters`).toBeTypeOf("string");
  });

  test("is a state with everything valid, or rejected, when any value in it is another", () => {
    const text = JSON.stringify(JSON.parse(formatState(state)));
    const values = [...text.matchAll(/"(?:[^"\\]|\\.)*"|\d+|true|false|[[\]{}:,]/g)];
    const replacement = fc.oneof(
      fc.json({ maxDepth: 2 }),
      fc.constantFrom("", "1e999", "-1", "null", "[[[[", '"__proto__"', "{}", "\u0000"),
    );
    fc.assert(
      fc.property(fc.nat({ max: values.length - 1 }), replacement, (index, other) => {
        const value = values[index];
        const [at = 0, old = ""] = [value?.index, value?.[0]];
        const found = parsed(text.slice(0, at) + other + text.slice(at + old.length));
        if (typeof found !== "string") expect(parseState(formatState(found))).toEqual(found);
      }),
      { numRuns: 500 },
    );
  });

  test("has bounds, whatever the state has", () => {
    const name = (number: number): string =>
      `${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.n${number}.`;
    const numbers = Array.from({ length: stateLimits.endpoints + 10 }, (_, number) => number);
    const address = "fd00:1111:2222:3333:4444:5555:6666:7777";
    const text = formatState({
      ...state,
      endpoints: numbers.map(number => ({ host: name(number), port: 65_535, priority: 0, weight: 0 })),
      addresses: new Map(numbers.map(number => [name(number), Array(20).fill(address)])),
    });
    expect(Buffer.byteLength(text)).toBeLessThan(stateLimits.bytes);
    const { endpoints, addresses } = parseState(text);
    expect(endpoints).toHaveLength(stateLimits.endpoints);
    expect(addresses.size).toBe(stateLimits.hosts);
    expect([...addresses.values()].at(-1)).toHaveLength(stateLimits.addresses);
  });

  test.each([
    ["", "it is empty"],
    ["[]", "it is not an object"],
    ["null", "it is not an object"],
    ["{}", "its format is undefined, and this version of gw reads 1"],
    [formatState(state).replace('"format": 1', '"format": 2'), "its format is 2, and this version"],
    [formatState(state).replace("2026", "20x6"), "savedAt is not a time"],
    [formatState(state).replace("cdf8", "CDF8"), "clusterId is not an id"],
    [formatState(state).replace("infra0.example.com.", "infra0 example"), "is neither a name nor an IP"],
    [formatState(state).replace('"10.0.1.10"', '"10.0.1"'), '"10.0.1" is not an IP address'],
    [formatState(state).replace("2379", "0"), "port is not a whole number from 1 to 65535"],
    [formatState(state).replace("true", '"yes"'), "secure is neither true nor false"],
    ["[".repeat(200_000), "it is not JSON"],
  ])("%.30s is rejected with the reason", (text, why) => {
    expect(parsed(text)).toContain(why);
  });
});

describe("reading", () => {
  const why = (given = path): Promise<string> =>
    readState(given).then(
      found => `read: ${found?.discovery}`,
      (error: GatewayError) => error.detail,
    );

  test("finds what was written, and nothing where there is no file or folder", async () => {
    expect(await readState(path)).toBeUndefined();
    expect(await readState(join(folder, "missing", "file"))).toBeUndefined();
    await writeState(path, state);
    expect(await readState(path)).toEqual(state);
  });

  test("rejects what is not a regular file, and waits for none", async () => {
    await mkdir(path);
    expect(await why()).toBe("it is a folder");
    const fifo = join(folder, "fifo");
    await runProgram("mkfifo", [fifo]);
    expect(await why(fifo)).toBe("it is not a regular file");
    expect(await why("/dev/zero")).toBe("it is not a regular file");
    const file = join(folder, "file");
    await writeState(file, state);
    const link = join(folder, "link");
    await symlink(file, link);
    expect(await why(link)).toBe("it is a symbolic link");
    expect(await why(join(file, "below"))).toBe("not a directory (ENOTDIR)");
  });

  test("does not read a file that is too large", async () => {
    await writeFile(path, "");
    await truncate(path, 2 ** 30);
    const before = process.memoryUsage().rss;
    expect(await why()).toBe("it has more than 1048576 bytes");
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20);
  });

  test("rejects bytes that are no text", async () => {
    await writeFile(path, Buffer.from([0xff, 0xfe, 0x00, 0x80]), { mode: 0o600 });
    expect(await why()).toContain("it is not JSON");
  });

  test("rejects a file that others may write", async () => {
    await writeState(path, state);
    await chmod(path, 0o602);
    expect(await why()).toBe("every user may write it");
  });

  test.skipIf(!isRoot)("rejects a file of another user", async () => {
    await writeState(path, state);
    await chown(path, 1234, 1234);
    expect(await why()).toBe("it belongs to user 1234, not 0");
  });

  test.skipIf(isRoot)("reports a file that may not be read", async () => {
    await writeState(path, state);
    await chmod(path, 0);
    expect(await why()).toBe("permission denied (EACCES)");
  });
});

describe("writing", () => {
  test("replaces a file at once, for this user only, and leaves nothing else", async () => {
    await writeFile(path, "damaged", { mode: 0o644 });
    await writeState(path, state);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(["endpoints.json"]);
    expect(await readState(path)).toEqual(state);
  });

  test("by several gateways at the same time leaves the state of one", async () => {
    const states = Array.from({ length: 20 }, (_, number) => ({ ...state, discovery: `gateway ${number}` }));
    let running = true;
    const read = async (): Promise<void> => {
      while (running) await readState(path);
    };
    const reading = read();
    await Promise.all(states.map(one => writeState(path, one)));
    running = false;
    await reading;
    expect(states).toContainEqual(await readState(path));
    expect(await readdir(folder)).toEqual(["endpoints.json"]);
  });

  test("leaves alone what is not a regular file", async () => {
    await runProgram("mkfifo", [path]);
    await expect(writeState(path, state)).rejects.toThrow("it is not a regular file");
    expect((await stat(path)).isFIFO()).toBe(true);
    const link = join(folder, "link");
    await symlink("/dev/null", link);
    await expect(writeState(link, state)).rejects.toThrow("it is not a regular file");
    expect((await readdir(folder)).sort()).toEqual(["endpoints.json", "link"]);
  });

  test("reports what the file system says, without the name of a temporary file", async () => {
    await expect(writeState(join(folder, "no", "file"), state)).rejects.toThrow(
      "[unknown] no such file or directory (ENOENT)",
    );
    await expect(writeState(`${path}\0`, state)).rejects.toThrow(GatewayError);
  });
});
