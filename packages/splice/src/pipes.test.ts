// Pipes take none of the descriptors that are reserved for other things.
import { connectTo, startBackend } from "@gw/testing";
import { expect } from "vitest";
import { test } from "../test/available.js";
import { scriptWith, startScript } from "../test/script.js";

/**
 * As many clients as a proxy allows with so few descriptors. None reads, so that each direction from a backend holds a
 * pipe if it can. Prints how many pipes there are then, and how many descriptors can still be opened.
 */
const script = scriptWith(`
  const { connect, createServer } = require("node:net");
  const { closeSync, openSync, readdirSync } = require("node:fs");
  const { fork } = require("node:child_process");
  const pipes = () => readdirSync("/proc/self/fd").filter(fd => {
    try { return require("node:fs").readlinkSync("/proc/self/fd/" + fd).startsWith("pipe:"); } catch { return false; }
  }).length;
  const relay = splice({ threads: 2 });
  const before = pipes();
  const limit = Math.floor((300 - 64 - relay.extraDescriptors) / 2);
  const clients = [];
  const listener = await listen(relay, client => {
    clients.push(client);
    client.dial([{ host: "127.0.0.1", port: Number(process.env.BACKEND) }], 10_000);
    return noEvents;
  });
  console.log("port", listener.address.port, "limit", limit);
  let bytes = -1;
  const watch = setInterval(() => {
    const now = clients.reduce((sum, client) => sum + client.bytesFromBackend, 0);
    // All clients are connected, and no more bytes are read.
    if (clients.length < limit || now !== bytes || now < limit * 500_000) return void (bytes = now);
    clearInterval(watch);
    const used = pipes() - before;
    const opened = [];
    try { while (opened.length < 200) opened.push(openSync("/dev/null")); } catch {}
    for (const fd of opened) closeSync(fd);
    console.log("extra", relay.extraDescriptors, "pipes", used, "free", opened.length);
    for (const client of clients) client.abort();
    listener.close();
  }, 300);`);

test("pipes are counted, and reserved descriptors stay free when every connection carries bulk", async () => {
  const bytes = Buffer.alloc(8 * 1024 * 1024);
  await using backend = await startBackend(socket => socket.write(bytes));
  await using program = startScript(`process.env.BACKEND = "${backend.port}"; ${script}`, {
    descriptors: 300,
  });
  const [, port, limit] = await program.printed(/port (\d+) limit (\d+)/);
  for (let count = 0; count < Number(limit); count++) await connectTo(Number(port));
  const [, extra, pipes, free] = await program.printed(/extra (\d+) pipes (\d+) free (\d+)/);
  expect(Number(pipes)).toBeGreaterThan(0);
  expect(Number(pipes)).toBeLessThanOrEqual(Number(extra));
  // 64 are reserved, of which Node uses some.
  expect(Number(free)).toBeGreaterThan(16);
  expect(await program.exit).toMatchObject({ code: 0 });
});
