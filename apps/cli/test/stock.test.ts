// Clients that are dialled for before JavaScript knows of them, while endpoints go down and up: the native relay, its
// proxy and the pool in one process.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { type EarlyPick, type Endpoint, GatewayError } from "@gw/interface";
import { createPool, first, roundRobin } from "@gw/selector";
import { splice } from "@gw/splice";
import { createDialer, createProxy, type ProxyOptions } from "@gw/tcpproxy";
import { expect, test } from "vitest";

const host = "127.0.0.1";
const down = new GatewayError("unhealthy", "no leader");

/** A server that answers each client with its own name. */
async function startNamed(name: string): Promise<AsyncDisposable & { readonly endpoint: Endpoint }> {
  const server: Server = createServer(socket => socket.on("error", () => {}).end(name));
  await new Promise<void>(resolve => server.listen({ host, port: 0, backlog: 4096 }, resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: { host, port, priority: 0, weight: 1 },
    [Symbol.asyncDispose]: () => new Promise(resolve => server.close(() => resolve())),
  };
}

async function startProxy(options: Omit<ProxyOptions, "listen" | "relay">) {
  const proxy = createProxy({ ...options, listen: [{ host, port: 0 }], relay: splice({ threads: 2 }) });
  const [address] = await proxy.listen();
  return {
    proxy,
    port: address?.port ?? 0,
    [Symbol.asyncDispose]: async () => void (await proxy.close({ graceMs: 0 })),
  };
}

/**
 * Runs beside this thread: two servers, one of which resets each client that sends something; and clients, the second of
 * which comes when the first was reset. This thread stands still until then.
 */
const servers = `
const { connect, createServer } = require("node:net");
const { once } = require("node:events");
const { parentPort, workerData } = require("node:worker_threads");
const host = "127.0.0.1";
const listen = async onClient => {
  const server = createServer(socket => socket.on("error", () => {}).once("data", () => onClient(socket)));
  await once(server.listen(0, host), "listening");
  return server;
};
const ask = (port, onConnect) =>
  new Promise(resolve => {
    const socket = connect({ host, port }, onConnect);
    socket.on("data", data => resolve(data.toString())).on("error", ({ code }) => resolve(code));
    socket.write("question");
  });
(async () => {
  const mute = await listen(socket => socket.resetAndDestroy());
  const member = await listen(socket => socket.end("answer"));
  parentPort.postMessage([mute.address().port, member.address().port]);
  const [port] = await once(parentPort, "message");
  const answers = [await ask(port)];
  const release = () => {
    Atomics.store(workerData, 0, 1);
    Atomics.notify(workerData, 0);
  };
  answers.push(await ask(port, release));
  parentPort.postMessage(answers);
  for (const server of [mute, member]) server.close();
  parentPort.close();
})();
`;

/** What a client gets that connects now; the error if it is reset. */
function ask(port: number): Promise<string> {
  return new Promise(resolve => {
    let text = "";
    connect({ host, port })
      .setEncoding("utf8")
      .on("data", data => {
        text += data;
      })
      .on("error", ({ message }) => resolve(message))
      .on("end", () => resolve(text));
  });
}

test("no client reaches an endpoint that was marked down before the client connected", async () => {
  await using a = await startNamed("a");
  await using b = await startNamed("b");
  const endpoints = [a.endpoint, b.endpoint];
  const pool = createPool({
    selector: first(),
    retryDelayMs: 60_000,
    onUnhealthy: "leave",
    onRemoved: "leave",
  });
  pool.update(endpoints);
  let unasked = 0;
  await using proxy = await startProxy({
    pool: {
      ...pool,
      acquire: request => pool.acquire(request),
      pickAhead: () => {
        const pick = pool.pickAhead?.();
        return (
          pick && {
            endpoint: pick.endpoint,
            lease(request) {
              unasked += 1;
              return pick.lease(request);
            },
          }
        );
      },
      onPicksVoid: listener => pool.onPicksVoid?.(listener) ?? (() => {}),
    },
  });
  let over = false;
  /** Whether `a` is down, and how often that has changed. */
  let [isDown, changes] = [false, 0];
  let checked = 0;
  const keepAsking = async (): Promise<void> => {
    while (!over) {
      const [wasDown, before] = [isDown, changes];
      const answer = await ask(proxy.port);
      // A dial that had just succeeded may have been cancelled, which resets the client.
      if (changes !== before) continue;
      if (answer !== "a" && answer !== "b") throw new Error(answer);
      checked += 1;
      if (wasDown) expect(answer).toBe("b");
    }
  };
  const keepChanging = async (): Promise<void> => {
    for (let round = 0; round < 300 || unasked < 300 || checked < 300; round++) {
      for (let turn = 0; turn < round % 11; turn++) await eventLoopTurn();
      changes += 1;
      isDown = !isDown;
      if (isDown)
        pool.report(a.endpoint, { check: "test", error: down, scope: "endpoint", connectable: true }, true);
      else {
        pool.update([b.endpoint]);
        pool.update(endpoints);
      }
    }
    over = true;
  };
  await Promise.all([...Array.from({ length: 24 }, keepAsking), keepChanging()]);
  pool.close();
});

test("endpoints are used in turn, also where their names have to be looked up again and again", async () => {
  await using a = await startNamed("a");
  await using b = await startNamed("b");
  await using c = await startNamed("c");
  const pool = createPool({ selector: roundRobin() });
  pool.update([a.endpoint, { ...b.endpoint, host: "b.test" }, { ...c.endpoint, host: "c.test" }]);
  let lookups = 0;
  const dialer = createDialer({
    lookup: async () => {
      lookups += 1;
      return { addresses: [host], ttlMs: 5 };
    },
  });
  await using proxy = await startProxy({ pool, dialer });
  let [answers, rounds] = ["", 0];
  for (; rounds < 50 || lookups < 10; rounds++)
    for (let client = 0; client < 3; client++) answers += await ask(proxy.port);
  expect(["abc", "bca", "cab"].map(turn => turn.repeat(rounds))).toContain(answers);
  pool.close();
});

test("no client follows one that got no answer before JavaScript knows of that", async () => {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(servers, { eval: true, workerData: gate });
  const [[mute, member]] = (await once(worker, "message")) as [[number, number]];
  const endpointAt = (port: number): Endpoint => ({ host, port, priority: 0, weight: 1 });
  let [isDown, picks] = [false, 0];
  let voidPicks = (): void => {};
  const lease = (port: number): ReturnType<EarlyPick["lease"]> => ({
    endpoint: endpointAt(port),
    connected() {},
    failed() {},
    released(_, answered) {
      if (answered !== false) return;
      isDown = true;
      voidPicks();
    },
  });
  await using proxy = await startProxy({
    pool: {
      acquire: () => lease(isDown ? member : mute),
      pickAhead() {
        if (isDown) return undefined;
        picks += 1;
        return { endpoint: endpointAt(mute), lease: () => lease(mute) };
      },
      onPicksVoid(listener) {
        voidPicks = listener;
        return () => {};
      },
    },
  });
  // With the first client that is reported, the relay gets a stock.
  const earlier = connect({ host, port: proxy.port });
  earlier.on("connect", () => earlier.destroy());
  while (picks === 0) await eventLoopTurn();
  worker.postMessage(proxy.port);
  Atomics.wait(gate, 0, 0);
  const [answers] = await once(worker, "message");
  expect(answers).toEqual(["ECONNRESET", "answer"]);
});
