import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { Worker } from "node:worker_threads";
import { type Backend, digestOf, outcome, sendRandom, startBackend } from "@gw/testing";
import { describe, test as everywhere, expect } from "vitest";
import { test } from "../test/available.js";
import { scriptWith, startScript } from "../test/script.js";
import { connectTo, serve, until } from "../test/serving.js";
import { splice } from "./index.js";

const descriptors = (): number => readdirSync("/proc/self/fd").length;
const host = "127.0.0.1";

everywhere.each([0, 65, 1.5, Number.NaN, -1])("%s threads are refused", threads => {
  const whole = /^\[invalid-option\] threads .* is not a whole number from 1 to 64$/;
  expect(() => splice({ threads })).toThrow(whole);
});

test("a connection holds two descriptors, also after it has carried bulk", async () => {
  await using backend = await startBackend(socket => socket.pipe(socket));
  const listener = await serve(splice({ threads: 2 }), backend.address);
  const before = descriptors();
  const sockets = Array.from({ length: 10 }, () => connectTo(listener));
  for (const socket of sockets) {
    socket.write(Buffer.alloc(8 * 1024 * 1024));
    for (let received = 0; received < 8 * 1024 * 1024; ) received += (await once(socket, "data"))[0].length;
  }
  // One of the client, one of the backend, and the two in between.
  await until(() => descriptors() === before + 10 * 4);
  for (const socket of sockets) socket.destroy();
  await until(() => descriptors() === before);
  listener.close();
});

test("the threads end when nothing is open, the process with them, and they start again", async () => {
  const script = scriptWith(`
    const { readdirSync } = require("node:fs");
    const { connect } = require("node:net");
    const threads = () => readdirSync("/proc/self/task").length;
    const before = threads();
    const relay = splice({ threads: 3 });
    for (let round = 0; round < 2; round++) {
      const counts = [];
      await new Promise(async resolve => {
        const listener = await listen(relay, client => {
          listener.close();
          counts.push(threads() - before);
          setImmediate(() => client.abort());
          return { ...noEvents, ended: resolve };
        });
        counts.push(threads() - before);
        connect(listener.address).on("error", () => {});
      });
      while (threads() > before) await new Promise(setImmediate);
      console.log(counts.join());
    }`);
  await using program = startScript(script);
  expect(await program.exit).toMatchObject({ code: 0, stdout: "3,3\n3,3\n" });
});

describe("in worker threads", () => {
  const script = scriptWith(`
    const { parentPort, workerData: backend } = require("node:worker_threads");
    const listener = await listen(splice({ threads: 2 }), client => {
      client.dial([backend], 10_000);
      return noEvents;
    });
    parentPort.postMessage(listener.address.port);
    parentPort.once("message", () => listener.close());`);

  /** A worker with a relay of its own, and the port that it listens on. */
  async function startWorker(backend: Backend): Promise<{ worker: Worker; port: number }> {
    const worker = new Worker(script, { eval: true, execArgv: [], workerData: backend.address });
    const [port] = await once(worker, "message");
    return { worker, port };
  }

  test("relays work side by side, and each worker ends by itself", async () => {
    await using backend = await startBackend(socket => socket.pipe(socket));
    const workers = await Promise.all([1, 2, 3, 4].map(() => startWorker(backend)));
    const passed = workers.map(async ({ worker, port }) => {
      const ended = once(worker, "exit");
      const socket = connect({ port, host, allowHalfOpen: true });
      const [sent, received] = await Promise.all([sendRandom(socket, 16 * 1024 * 1024), digestOf(socket)]);
      worker.postMessage("close");
      return { same: sent === received.digest, exit: (await ended)[0] };
    });
    expect(await Promise.all(passed)).toEqual(workers.map(() => ({ same: true, exit: 0 })));
  });

  test("a worker that is terminated resets its connections", async () => {
    await using backend = await startBackend();
    const before = descriptors();
    const { worker, port } = await startWorker(backend);
    const clients = Array.from({ length: 10 }, () => connect({ port, host }));
    const fates = clients.map(outcome);
    for (const _ of clients) fates.push(outcome(await backend.next()));
    await worker.terminate();
    for (const { end } of await Promise.all(fates)) expect(end).toBe("ECONNRESET");
    await until(() => descriptors() <= before);
  });
});

test("a handler that throws affects its own client only, and the error reaches the process", async () => {
  const script = scriptWith(`
    const { connect } = require("node:net");
    process.on("uncaughtException", error => console.log("uncaught", error.message));
    let count = 0;
    const listener = await listen(splice(), client => {
      count += 1;
      if (count === 3) listener.close();
      if (count < 3) throw new Error("of client " + count);
      setImmediate(() => client.close());
      return { ...noEvents, ended: ({ reason }) => console.log("ended", reason) };
    });
    for (const name of [1, 2, 3])
      connect(listener.address).on("error", ({ code }) => console.log(code)).on("end", () => console.log("end"));
    // All three are accepted meanwhile, and reported at once.
    await new Promise(setImmediate);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);`);
  await using program = startScript(script);
  const { code, stdout } = await program.exit;
  const lines = [
    "uncaught of client 1",
    "uncaught of client 2",
    "ECONNRESET",
    "ECONNRESET",
    "end",
    "ended closed",
  ];
  expect({ code, lines: stdout.trim().split("\n").sort() }).toEqual({ code: 0, lines: lines.sort() });
});

test("when descriptors run out that is reported, and clients wait until there are some again", async () => {
  await using backend = await startBackend();
  const clients = 100;
  const script = scriptWith(`
    let [accepted, open] = [0, []];
    const abortAll = () => {
      for (const client of open.splice(0)) client.abort();
    };
    const onClient = client => {
      accepted += 1;
      open.push(client);
      if (accepted < ${clients}) return { ...noEvents, dialFailed };
      listener.close();
      setImmediate(abortAll);
      return noEvents;
    };
    const dialFailed = ({ code }) => {
      console.log("dial failed:", code);
      abortAll();
    };
    const onError = ({ code }) => {
      console.log("accept failed:", code);
      open[0]?.dial([${JSON.stringify(backend.address)}], 10_000);
    };
    const listener = await listen(splice({ threads: 1 }), onClient, onError);
    console.log("port", listener.address.port);`);
  await using program = startScript(script, { descriptors: 64 });
  const [, port] = await program.printed(/port (\d+)/);
  const sockets = Array.from({ length: clients }, () => connect({ port: Number(port), host }));
  for (const { end } of await Promise.all(sockets.map(outcome))) expect(end).toBe("ECONNRESET");
  const { code, stdout } = await program.exit;
  expect(code).toBe(0);
  expect(stdout).toMatch(/accept failed: out-of-resources\ndial failed: out-of-resources\n/);
  expect(stdout).not.toMatch(/failed: (?!out-of-resources)/);
});

test("while the event loop is busy, clients wait in the system's queue, and the threads rest", async () => {
  const script = scriptWith(`
    const { readFileSync, readdirSync, writeSync } = require("node:fs");
    /** In hundredths of a second, that of the main thread and all others. */
    const processorTime = () =>
      readdirSync("/proc/self/task")
        .map(task => readFileSync("/proc/self/task/" + task + "/stat", "utf8").split(") ")[1].split(" "))
        .reduce((sum, fields) => sum + Number(fields[11]) + Number(fields[12]), 0);
    let count = 0;
    const listener = await listen(splice(), () => {
      count += 1;
      if (count === 100) listener.close();
    });
    writeSync(1, "port " + listener.address.port + "\\n");
    const before = processorTime();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
    console.log("used", processorTime() - before);`);
  await using program = startScript(script);
  const [, port] = await program.printed(/port (\d+)/);
  const fates = Array.from({ length: 100 }, () => outcome(connect({ port: Number(port), host })));
  for (const { end } of await Promise.all(fates)) expect(end).toBe("ECONNRESET");
  const { code, stdout } = await program.exit;
  expect(code).toBe(0);
  expect(Number(/used (\d+)/.exec(stdout)?.[1])).toBeLessThan(30);
});
