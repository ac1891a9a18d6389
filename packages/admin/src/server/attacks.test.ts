import { hostname } from "node:os";
import { connectTo, outcome } from "@gw/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { sampleStatus } from "../../test/sample.js";
import { get, startAdmin, statusesFor, statusesOf } from "../../test/start.js";
import { maxBody, maxHeaderSize, maxHeaders, maxTargetLength } from "./limits.js";

test.each([
  ["a header of more than the limit", 431, get("/status", `X: ${"x".repeat(maxHeaderSize)}`)],
  ["too many headers", 431, get("/status", ...Array.from({ length: maxHeaders }, () => "X: y"))],
  ["thousands of headers", 431, get("/status", ...Array.from({ length: 2_000 }, () => "X:"))],
  ["a long path", 414, get(`/${"x".repeat(maxTargetLength)}`)],
  ["a long query", 414, get(`/status?${"x".repeat(maxTargetLength)}`)],
  ["a path of more than all limits", 431, get(`/${"x".repeat(maxHeaderSize)}`)],
  ["a large body", 413, `${get("/status", `Content-Length: ${maxBody + 1}`)}`],
  ["an endless body", 413, `${get("/status", "Transfer-Encoding: chunked")}1000\r\n${"x".repeat(0x1000)}`],
  ["a small body", 200, `${get("/status", "Content-Length: 4")}body`],
  ["an expectation", 200, get("/status", "Expect: the-spanish-inquisition")],
])("%s is answered with %i", async (_, status, request) => {
  await using admin = await startAdmin();
  expect(await statusesFor(admin, request)).toEqual([status]);
});

const post = "POST /livez HTTP/1.1\r\nHost: localhost\r\n";
const smuggled = "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n";

test.each([
  ["both lengths", `${post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
  [
    "both lengths in the other order",
    `${post}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${smuggled}`,
  ],
  ["two lengths", `${post}Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`],
  ["a signed length", `${post}Content-Length: +0\r\n\r\n${smuggled}`],
  ["a negative length", `${post}Content-Length: -1\r\n\r\n${smuggled}`],
  ["a list of lengths", `${post}Content-Length: 0, 0\r\n\r\n${smuggled}`],
  ["an unknown encoding", `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`],
  ["an encoding after chunked", `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`],
  ["a space before the colon", `${post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`],
  ["a folded header", `${post}X: y\r\n Transfer-Encoding: chunked\r\n\r\n`],
  ["a bare line feed", "GET /status HTTP/1.1\nHost: localhost\n\n"],
  ["a carriage return in a header", `${post}X: a\rTransfer-Encoding: chunked\r\n\r\n`],
  ["a zero byte in a header", `${post}X: a\0b\r\n\r\n`],
  ["a zero byte in the path", "GET /status\0 HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["a control character in the path", "GET /\x07 HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["a space in the path", "GET /sta tus HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["two Host headers", get("/status", "Host: 127.0.0.1")],
  ["two Origin headers", get("/status", "Origin: http://localhost", "Origin: http://localhost")],
  ["no Host header", "GET /status HTTP/1.1\r\nConnection: close\r\n\r\n"],
  ["HTTP/0.9", "GET /status\r\n\r\n"],
  ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["HTTP/3.0", "GET /status HTTP/3.0\r\nHost: localhost\r\n\r\n"],
  ["a method in lower case", "get /status HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["an unknown method", "FROB /status HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["no method", " /status HTTP/1.1\r\nHost: localhost\r\n\r\n"],
  ["TLS", Buffer.from("16030100a5010000a10303", "hex")],
  ["random bytes", Buffer.from("00ff80017f0a0d0a00", "hex")],
])("%s is one 400, and what follows is not a request", async (_, request) => {
  let asked = 0;
  await using admin = await startAdmin({
    status() {
      asked += 1;
      return sampleStatus();
    },
  });
  expect([await statusesFor(admin, request), asked]).toEqual([[400], 0]);
});

test("CONNECT and upgrades get no tunnel", async () => {
  await using admin = await startAdmin();
  expect(await admin.exchange("CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: localhost\r\n\r\n")).toBe("");
  const upgrade = get("/status").replace(
    "Connection: close",
    "Connection: Upgrade, close\r\nUpgrade: websocket",
  );
  expect(await statusesFor(admin, upgrade)).toEqual([200]);
});

test.each([
  ...[
    "evil.example",
    "evil.example:80",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "1.2.3.4@evil.example",
  ],
  ...[
    "2130706433",
    "0x7f.1",
    "[evil]",
    "[::1].evil.example",
    "localhost:80:80",
    "a b",
    "",
    "admin.example,localhost",
  ],
])("the host %j is refused: its page may have been made to resolve to this machine", async host => {
  await using admin = await startAdmin();
  expect(await statusesFor(admin, get("/status").replace("Host: localhost", `Host: ${host}`))).toEqual([421]);
});

test.each([
  ...[
    "127.0.0.1",
    "10.1.2.3:2381",
    "[::1]",
    "[fe80::1]:2381",
    "[fe80::1%25eth0]",
    "localhost",
    "LocalHost.:2381",
  ],
  ...["admin.example", "Admin.Example:2381", hostname()],
])("the host %j is this server", async host => {
  await using admin = await startAdmin({}, { hostNames: ["admin.example"] });
  expect(await statusesFor(admin, get("/status").replace("Host: localhost", `Host: ${host}`))).toEqual([200]);
});

test("HTTP/1.0 needs no host", async () => {
  await using admin = await startAdmin();
  expect(await statusesFor(admin, "GET /status HTTP/1.0\r\n\r\n")).toEqual([200]);
});

test("other sites cannot read anything, while a link to the server works", async () => {
  await using admin = await startAdmin();
  const origins = [
    "http://evil.example",
    "null",
    "http://localhost:81",
    "http://localhost.evil",
    "localhost",
    "x",
    "",
  ];
  for (const path of ["/", "/status", "/stream", "/metrics", "/livez"])
    for (const origin of origins)
      expect([origin, await statusesFor(admin, get(path, `Origin: ${origin}`))]).toEqual([origin, [403]]);
  expect(await statusesFor(admin, get("/status", "Origin: http://localhost"))).toEqual([200]);
  const fetched = (...values: string[]) =>
    statusesFor(
      admin,
      get("/status", ...["Site", "Mode", "Dest"].map((name, index) => `Sec-Fetch-${name}: ${values[index]}`)),
    );
  expect(await fetched("cross-site", "no-cors", "image")).toEqual([403]);
  expect(await fetched("same-site", "cors", "empty")).toEqual([403]);
  expect(await fetched("cross-site", "navigate", "iframe")).toEqual([403]);
  expect(await fetched("cross-site", "navigate", "document")).toEqual([200]);
  expect(await fetched("same-origin", "cors", "empty")).toEqual([200]);
  expect(await fetched("none", "navigate", "document")).toEqual([200]);
});

test("nothing of a request is in its answer", async () => {
  await using admin = await startAdmin();
  const evil = "<script>alert(1)</script>";
  const requests = [
    get(`/${evil}`),
    get(`/status?pretty=${evil}`),
    get(`/${encodeURIComponent(evil)}`),
    get(`/connections?endpoint=${encodeURIComponent(evil)}`),
    get(`/events?after=${evil}`),
    get("/status", `Origin: ${evil}`),
    get("/status", `Accept: ${evil}`, `X-${"alert"}: ${evil}`),
    get("/status").replace("localhost", evil),
    get("/stream\x01", evil),
    `${evil} / HTTP/1.1\r\n\r\n`,
    `POST /actions/drain?endpoint=${evil} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Gw-Action: 1\r\n\r\n`,
  ];
  for (const request of requests) {
    const answer = await admin.exchange(request);
    expect(answer).toMatch(/^HTTP\/1\.1 /);
    expect(answer).not.toMatch(/alert|<script|node:|\.[jt]s:\d/i);
  }
  expect(admin.errors).toEqual([]);
});

/** Pieces of requests, so that some of what is made of them is nearly valid. */
const piece = fc.oneof(
  fc.constantFrom(
    "GET ",
    "POST ",
    "HEAD ",
    "/status",
    "/stream",
    "/actions/drain",
    "?endpoint=",
    "?limit=",
    "%2e%2e/",
    " HTTP/1.1",
  ),
  fc.constantFrom(
    "\r\n",
    "\n",
    "\r\n\r\n",
    "Host: localhost",
    "Host: ",
    "Origin: null",
    "X-Gw-Action: 1",
    ": ",
    "chunked",
  ),
  fc.constantFrom(
    "Content-Length: 3",
    "Transfer-Encoding: ",
    "0\r\n\r\n",
    "Connection: close",
    "Expect: 100-continue",
    "Upgrade: h2c",
  ),
  fc.string({ unit: "binary", maxLength: 20 }),
);

test("whatever a client sends, the server answers with a known status or closes, and goes on", async () => {
  await using admin = await startAdmin();
  const statuses = new Set<number>();
  const anything = fc.array(piece, { maxLength: 30 }).map(pieces => Buffer.from(pieces.join("")));
  const nearlyValid = fc
    .tuple(
      fc.constantFrom("GET", "POST", "HEAD"),
      fc.webPath(),
      fc.webQueryParameters(),
      fc.array(piece, { maxLength: 5 }),
    )
    .map(([method, path, query, end]) =>
      Buffer.from(`${method} ${path || "/"}?${query} HTTP/1.1\r\nHost: localhost\r\n${end.join("")}\r\n\r\n`),
    );
  await fc.assert(
    fc.asyncProperty(fc.oneof(anything, nearlyValid), async bytes => {
      const socket = await connectTo(admin.port);
      const ended = outcome(socket);
      socket.end(bytes);
      for (const status of statusesOf((await ended).received.toString("latin1"))) statuses.add(status);
      socket.destroy();
    }),
    { numRuns: 300 },
  );
  expect([...statuses].filter(status => ![100, 200, 400, 403, 404, 405, 413, 421].includes(status))).toEqual(
    [],
  );
  expect(await statusesFor(admin, get("/livez"))).toEqual([200]);
  expect(admin.errors).toEqual([]);
});
