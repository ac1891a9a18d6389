import { once } from "node:events";
import { connectTo, outcome } from "@gw/testing";
import { expect, test, vi } from "vitest";
import { get, startAdmin, statusesFor, statusesOf } from "../../test/start.js";
import {
  answerTimeoutMs,
  headersTimeoutMs,
  maxConnections,
  maxPipelined,
  requestTimeoutMs,
} from "./limits.js";

/** An answer of 1 MB, as of thousands of endpoints. */
const large = "x".repeat(1_000_000);

test.concurrent.each([
  ["nothing", ""],
  ["half a request line", "GET /sta"],
  ["headers that never end", "GET /status HTTP/1.1\r\nHost: localhost\r\n"],
  ["half a body", "POST /actions/refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx"],
  ["half a chunk", "GET /status HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nx"],
])("a client that sends %s, and a byte a second, is disconnected in time", async (_, begin) => {
  await using admin = await startAdmin();
  const socket = await connectTo(admin.port);
  const ended = outcome(socket);
  socket.write(begin);
  const begun = performance.now();
  const dribble = setInterval(
    () => socket.write(begin.includes("\r\n\r\n") || begin === "" ? "" : "x"),
    1000,
  );
  const { received } = await ended;
  clearInterval(dribble);
  socket.destroy();
  expect(statusesOf(received.toString())).toEqual([408]);
  const limit = begin.includes("\r\n\r\n") ? requestTimeoutMs : headersTimeoutMs;
  expect(performance.now() - begun).toBeGreaterThan(limit - 100);
  expect(performance.now() - begun).toBeLessThan(limit + 10_000);
});

test("pipelined requests are answered in order, and a flood of them is cut off", async () => {
  let asked = 0;
  await using admin = await startAdmin({
    metrics() {
      asked += 1;
      return large;
    },
  });
  const few = `HEAD /livez HTTP/1.1\r\nHost: localhost\r\n\r\nGET /x HTTP/1.1\r\nHost: localhost\r\n\r\n${get("/readyz")}`;
  expect(await statusesFor(admin, few)).toEqual([200, 404, 200]);
  const many = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000);
  const socket = await connectTo(admin.port);
  socket.write(many);
  await outcome(socket);
  socket.destroy();
  expect(asked).toBeLessThanOrEqual(maxPipelined);
});

test("a client that has ended its side gets its answer", async () => {
  await using admin = await startAdmin();
  const socket = await connectTo(admin.port);
  const ended = outcome(socket);
  socket.end("GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
  expect(statusesOf((await ended).received.toString())).toEqual([200]);
  const silent = await connectTo(admin.port);
  silent.end();
  expect((await outcome(silent)).end).toBe("end");
});

test("connections above the limit are closed at once, and the others go on", async () => {
  await using admin = await startAdmin();
  const sockets = [];
  for (let count = 0; count < maxConnections; count += 1) {
    const socket = await connectTo(admin.port);
    socket.write("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(socket, "data");
    sockets.push(socket);
  }
  for (let count = 0; count < 100; count += 1) {
    const socket = await connectTo(admin.port);
    expect((await outcome(socket)).received.length).toBe(0);
    socket.destroy();
  }
  const [first] = sockets;
  first?.write("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(first as never, "data");
  for (const socket of sockets) socket.destroy();
  await expect.poll(() => statusesFor(admin, get("/livez"))).toEqual([200]);
});

test("clients that never read their answers hold a bounded amount of memory, and are disconnected", async () => {
  // More than the buffers of the kernel take.
  const body = Buffer.alloc(20_000_000, "x").toString();
  let asked = 0;
  await using admin = await startAdmin({
    metrics() {
      asked += 1;
      return body;
    },
  });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const sockets = await Promise.all([1, 2, 3].map(() => connectTo(admin.port)));
    const request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (const socket of sockets) socket.pause().write(request.repeat(maxPipelined));
    while (asked < sockets.length || vi.getTimerCount() < sockets.length) await nextTurn();
    vi.advanceTimersByTime(answerTimeoutMs - 1);
    // Each has one answer made, however many it has asked for.
    expect([asked, vi.getTimerCount()]).toEqual([3, 3]);
    vi.advanceTimersByTime(1);
    for (const socket of sockets) {
      const { received } = await outcome(socket);
      expect(received.length).toBeLessThan(body.length);
      socket.destroy();
    }
    expect(asked).toBe(3);
  } finally {
    vi.useRealTimers();
  }
});

test("after all of that, a server has not grown", async () => {
  await using admin = await startAdmin({ metrics: () => large });
  const attack = async (): Promise<void> => {
    for (const request of [
      get("/metrics"),
      get("/metrics", "Accept-Encoding: gzip"),
      "\x16\x03",
      get("/x"),
      get("/stream\0"),
    ])
      await admin.exchange(request);
    const socket = await connectTo(admin.port);
    socket.write("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(maxPipelined + 1));
    await outcome(socket);
    socket.destroy();
  };
  for (let count = 0; count < 20; count += 1) await attack();
  const before = process.memoryUsage().rss;
  for (let count = 0; count < 200; count += 1) await attack();
  expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
});

function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
