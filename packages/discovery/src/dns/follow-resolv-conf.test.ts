import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { platform, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { followResolvConf } from "./resolv-conf.js";

let folder = "";
let path = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-resolv-"));
  path = join(folder, "resolv.conf");
});

afterEach(() => rm(folder, { recursive: true }));

function serverOf(follow: ReturnType<typeof followResolvConf>): string | undefined {
  return follow().servers[0]?.host;
}

/** Sets the time back: a file that was just written is always read again. */
async function age(seconds = 60): Promise<void> {
  const then = Date.now() / 1_000 - seconds;
  await utimes(path, then, then);
}

test("the file is read again when it was replaced, and stays in use while it is missing", async () => {
  const follow = followResolvConf(path);
  expect(follow().servers).toEqual([{ host: "127.0.0.1", port: 53 }]);
  await writeFile(path, "nameserver 10.0.0.1\n");
  const first = follow();
  expect(first.servers).toEqual([{ host: "10.0.0.1", port: 53 }]);
  expect(follow()).toBe(first);
  await age();
  expect(follow()).toBe(first);
  await writeFile(join(folder, "next"), "nameserver 10.0.0.2\n");
  await rename(join(folder, "next"), path);
  expect(serverOf(follow)).toBe("10.0.0.2");
  await rm(path);
  expect(serverOf(follow)).toBe("10.0.0.2");
});

test("a change in place with the same time and size is detected", async () => {
  const follow = followResolvConf(path);
  for (const host of ["10.0.0.1", "10.0.0.2", "10.0.0.3"]) {
    await writeFile(path, `nameserver ${host}\n`);
    expect(serverOf(follow)).toBe(host);
  }
  await writeFile(path, "nameserver 10.0.0.4\n");
  await age();
  expect(serverOf(follow)).toBe("10.0.0.4");
  await writeFile(path, "nameserver 10.0.0.5\n");
  await age();
  expect(serverOf(follow)).toBe("10.0.0.5");
});

test("a link that is changed to another file is detected", async () => {
  for (const [name, host] of [
    ["a", "10.0.0.1"],
    ["b", "10.0.0.2"],
  ])
    await writeFile(join(folder, name as string), `nameserver ${host}\n`);
  await symlink("a", path);
  const follow = followResolvConf(path);
  expect(serverOf(follow)).toBe("10.0.0.1");
  await symlink("b", join(folder, "next"));
  await rename(join(folder, "next"), path);
  expect(serverOf(follow)).toBe("10.0.0.2");
});

test("with no-reload, of the file or the environment, it is read once", async () => {
  await writeFile(path, "nameserver 10.0.0.1\noptions no-reload\n");
  const byFile = followResolvConf(path);
  const byEnvironment = followResolvConf(path, { RES_OPTIONS: "no-reload" });
  expect([byFile, byEnvironment].map(serverOf)).toEqual(["10.0.0.1", "10.0.0.1"]);
  await writeFile(path, "nameserver 10.0.0.2\n");
  expect([byFile, byEnvironment, followResolvConf(path)].map(serverOf)).toEqual([
    "10.0.0.1",
    "10.0.0.1",
    "10.0.0.2",
  ]);
});

test("only the whole lines in the first 64 KiB of a huge file are read", async () => {
  const filler = `${"# ".padEnd(1_023, "x")}\n`.repeat(63);
  await writeFile(path, `${filler}nameserver 10.0.0.1\nsearch ${"y".repeat(2_000_000)}`);
  const follow = followResolvConf(path);
  expect(follow().servers).toEqual([{ host: "10.0.0.1", port: 53 }]);
  expect(follow().search.join()).not.toContain("yy");
});

test("a path that is no regular file means the local server, and does not block", async () => {
  await mkdir(path);
  expect(serverOf(followResolvConf(path))).toBe("127.0.0.1");
  expect(serverOf(followResolvConf(join(path, "a", "b")))).toBe("127.0.0.1");
  if (platform() === "win32") return;
  execFileSync("mkfifo", [join(folder, "pipe")]);
  expect(serverOf(followResolvConf(join(folder, "pipe")))).toBe("127.0.0.1");
  expect(serverOf(followResolvConf("/dev/zero"))).toBe("127.0.0.1");
});
