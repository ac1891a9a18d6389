import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { recordEvents, watched } from "../../test/watched.js";
import { file } from "./file.js";

// As on a network file system, or when the system is out of watches.
vi.mock("node:fs", async original => ({
  ...(await original<typeof import("node:fs")>()),
  watch: () => {
    throw new Error("ENOSPC: System limit for number of file watchers reached");
  },
}));

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-poll-"));
  path = join(folder, "endpoints.yaml");
});

afterEach(() => rm(folder, { recursive: true, force: true }));

test("changes are found even if the file system does not report them", async () => {
  const observer = recordEvents();
  await writeFile(path, "- a:1\n");
  await using watch = watched(
    file(path, { minRefreshMs: 10, maxRefreshMs: 10, settleMs: 10, removalSettleMs: 0, observer }),
  );
  expect(await watch.next()).toBe("a:1");
  await writeFile(path, "- a:2\n");
  expect(await watch.next()).toBe("a:2");
  await writeFile(`${path}.new`, "- a:3\n");
  await rename(`${path}.new`, path);
  expect(await watch.next()).toBe("a:3");
  const next = watch.next();
  for (let event = ""; !event.startsWith("discovered +a:3"); ) event = await observer.events.take();
  await rm(path);
  expect(await observer.events.take()).toContain("does not exist");
  await writeFile(path, "- a:4\n");
  expect(await next).toBe("a:4");
});
