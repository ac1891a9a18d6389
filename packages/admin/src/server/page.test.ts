import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { get, startAdmin } from "../../test/start.js";

const script = `${"console.log(1);\n".repeat(500)}`;

async function pageFolder() {
  const folder = await mkdtemp(join(tmpdir(), "gw-page-"));
  await writeFile(join(folder, "index.html"), "<!doctype html><title>gw</title>");
  await writeFile(join(folder, "page.js"), script);
  await writeFile(join(folder, "secret.txt"), "secret");
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

test("serves the page, compressed where the browser takes it", async () => {
  await using page = await pageFolder();
  await using admin = await startAdmin({}, { page: page.folder });
  const ask = async (path: string, ...headers: string[]) => {
    const answer = await admin.exchange(get(path, ...headers));
    const end = answer.indexOf("\r\n\r\n") + 4;
    return { head: answer.slice(0, end), body: Buffer.from(answer.slice(end), "latin1") };
  };
  for (const path of ["/", "/index.html"]) {
    const { head, body } = await ask(path);
    expect(head).toContain("Content-Type: text/html; charset=utf-8\r\n");
    expect(head).toContain("Cache-Control: no-cache\r\n");
    expect(body.toString()).toBe("<!doctype html><title>gw</title>");
  }
  const plain = await ask("/page.js");
  expect(plain.body.toString()).toBe(script);
  const zipped = await ask("/page.js", "Accept-Encoding: gzip");
  expect(gunzipSync(zipped.body).toString()).toBe(script);
  const brotli = await ask("/page.js", "Accept-Encoding: gzip, deflate, br, zstd");
  expect(brotliDecompressSync(brotli.body).toString()).toBe(script);
  const etags = [plain, zipped, brotli].map(({ head }) => /ETag: (.*)\r/.exec(head)?.[1] ?? "");
  expect(new Set(etags).size).toBe(3);
  for (const [index, encoding] of ["identity", "gzip", "br"].entries()) {
    const again = await ask(
      "/page.js",
      `Accept-Encoding: ${encoding}`,
      `If-None-Match: "x", W/${etags[index]}`,
    );
    expect([again.head.slice(0, 12), again.body.length]).toEqual(["HTTP/1.1 304", 0]);
    expect(again.head).toContain(`ETag: ${etags[index]}\r\n`);
  }
  const head = await admin.exchange(get("/page.js").replace("GET", "HEAD"));
  expect(head).toContain(`Content-Length: ${script.length}\r\n`);
});

test("no other file is served, whatever the path", async () => {
  await using page = await pageFolder();
  await mkdir(join(page.folder, "page.css"));
  await using admin = await startAdmin({}, { page: page.folder });
  const paths = [
    "/secret.txt",
    "/icon.svg",
    "/page.js/",
    "//page.js",
    "/./page.js",
    "/PAGE.JS",
    "/page.js%00",
    "/%70age.js",
    "/../secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%252f..%252fetc/passwd",
    "/..\\..\\etc\\passwd",
    "/..%5c..%5cetc%5cpasswd",
    "/%c0%ae%c0%ae/etc/passwd",
    "/....//....//etc/passwd",
    "/;/secret.txt",
    "/constructor",
    "/__proto__",
    "file:///etc/passwd",
    "http://127.0.0.1/status",
    "*",
  ];
  for (const path of paths) {
    const answer = await admin.exchange(get(path));
    expect([path, answer.slice(0, 12)]).toEqual([path, "HTTP/1.1 404"]);
    expect(answer).toMatch(/\r\n\r\nthere is no such path\n$/);
  }
  // It is a folder.
  expect(await admin.exchange(get("/page.css"))).toContain("HTTP/1.1 500");
  expect(admin.errors).toHaveLength(1);
});

test("a folder without the page lists the routes", async () => {
  await using admin = await startAdmin({}, { page: "/nonexistent" });
  expect(await (await fetch(admin.url)).text()).toContain("GET /status\n");
  expect((await fetch(`${admin.url}/page.js`)).status).toBe(404);
  expect(admin.errors).toEqual([]);
});
