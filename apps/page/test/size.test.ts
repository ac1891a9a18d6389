import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { dist } from "./stub.js";

/** Of all files together, compressed, in bytes. */
const limit = 100_000;

test("the page is at most 100 KB compressed, in files with fixed names", async () => {
  const names = (await readdir(dist)).filter(name => !name.startsWith(".")).sort();
  expect(names).toEqual(["icon.svg", "index.html", "page.css", "page.js"]);
  const files = await Promise.all(names.map(name => readFile(join(dist, name))));
  for (const compress of [gzipSync, brotliCompressSync])
    expect(files.reduce((sum, file) => sum + compress(file).length, 0)).toBeLessThan(limit);
});

test("the page names no other host", async () => {
  const html = await readFile(join(dist, "index.html"), "utf8");
  expect([...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address)).toEqual([
    "./icon.svg",
    "./page.js",
    "./page.css",
    "status",
  ]);
  expect(await readFile(join(dist, "page.css"), "utf8")).not.toMatch(/url\(|@import/);
});
