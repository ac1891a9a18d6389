import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Endpoint } from "@gw/interface";
import { connectTo, type ManualClock, manualClock } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { createHttpClient, type HttpClient, type HttpClientOptions } from "./http-client.js";
import { createTlsContext } from "./tls-context.js";

/** A server that answers everything after a delay on `clock`. */
async function startServer({
  clock,
  delayMs = 0,
}: {
  readonly clock: ManualClock;
  readonly delayMs?: number;
}) {
  let requests = 0;
  const server = createServer((request, response) => {
    request.resume();
    requests += 1;
    if (delayMs === 0) response.end("answer");
    else clock.after(delayMs, () => response.end("answer"));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get requests() {
      return requests;
    },
    /** Resolves when no connection is open. */
    async idle(): Promise<void> {
      await expect
        .poll(() => new Promise(resolve => server.getConnections((_, count) => resolve(count))))
        .toBe(0);
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function client(clock: ManualClock, port: number, options: Partial<HttpClientOptions> = {}): HttpClient {
  const dial = (): ReturnType<HttpClientOptions["dial"]> => connectTo(port);
  return createHttpClient({
    dial,
    clock,
    tls: createTlsContext({}),
    keepAlive: true,
    random: () => 0,
    ...options,
  });
}

function ask(http: HttpClient, host: string): ReturnType<HttpClient["request"]> {
  const endpoint: Endpoint = { host, port: 2379, priority: 0, weight: 0 };
  return http.request(endpoint, { path: "/" }, { timeoutMs: 1_000, signal: new AbortController().signal });
}

/** Asks every ten seconds; returns when connections were new, in seconds. */
async function newConnections(
  clock: ManualClock,
  http: HttpClient,
  host: string,
  seconds: number,
): Promise<readonly number[]> {
  const fresh: number[] = [];
  for (let second = 0; second <= seconds; second += 10) {
    if ((await ask(http, host)).isFresh) fresh.push(second);
    await clock.advance(10_000);
  }
  return fresh;
}

describe("a kept connection", () => {
  test("is used for four to five minutes", async () => {
    for (const [random, expected] of [
      [0, [0, 300, 600]],
      [0.99, [0, 250, 500]],
    ] as const) {
      const clock = manualClock();
      await using server = await startServer({ clock });
      const http = client(clock, server.port, { random: () => random });
      expect(await newConnections(clock, http, "127.0.0.1", 610)).toEqual(expected);
      http.close();
      await server.idle();
    }
  });

  test("is closed after three minutes without a request", async () => {
    const clock = manualClock();
    await using server = await startServer({ clock });
    const http = client(clock, server.port);
    for (const idleMs of [0, 170_000, 181_000]) {
      await clock.advance(idleMs);
      expect((await ask(http, "127.0.0.1")).isFresh).toBe(idleMs !== 170_000);
    }
    http.close();
    await server.idle();
  });

  test("to a host name is used for a minute, and for longer while the name has its address", async () => {
    const clock = manualClock();
    await using server = await startServer({ clock });
    const unresolved = client(clock, server.port);
    expect(await newConnections(clock, unresolved, "infra0", 150)).toEqual([0, 70, 140]);
    let addresses: readonly string[] | undefined = ["10.0.0.1", "127.0.0.1"];
    let lookUps = 0;
    const resolved = client(clock, server.port, {
      async resolve() {
        lookUps += 1;
        if (!addresses) throw new Error("no DNS");
        return addresses;
      },
    });
    expect(await newConnections(clock, resolved, "infra0", 250)).toEqual([0]);
    // Once a minute, as if it were dialled again.
    expect(lookUps).toBe(3);
    addresses = undefined;
    await clock.advance(30_000);
    expect((await ask(resolved, "infra0")).isFresh).toBe(false);
    expect(lookUps).toBe(4);
    addresses = ["10.0.0.1"];
    expect(await newConnections(clock, resolved, "infra0", 90)).toEqual([10, 80]);
    for (const http of [unresolved, resolved]) http.close();
    await server.idle();
  });

  test("is not kept when the client is closed during a look-up", async () => {
    const clock = manualClock();
    await using server = await startServer({ clock });
    let found = (_: readonly string[]): void => {};
    const http = client(clock, server.port, {
      resolve: () =>
        new Promise(resolve => {
          found = resolve;
        }),
    });
    await ask(http, "infra0");
    await clock.advance(70_000);
    const asking = ask(http, "infra0");
    http.close();
    found(["127.0.0.1"]);
    expect(await asking).toMatchObject({ text: "answer", isFresh: true });
    await server.idle();
  });
});

test("the round trip is the time from sending a request to its answer, without the dial", async () => {
  const clock = manualClock();
  await using server = await startServer({ clock, delayMs: 70 });
  let dials = 0;
  const http = client(clock, server.port, {
    async dial() {
      const socket = await connectTo(server.port);
      dials += 1;
      await new Promise<void>(resolve => clock.after(200, resolve));
      return socket;
    },
  });
  for (const requests of [1, 2]) {
    const asking = ask(http, "127.0.0.1");
    await expect.poll(() => dials).toBe(1);
    if (requests === 1) await clock.advance(200);
    await expect.poll(() => server.requests).toBe(requests);
    await clock.advance(70);
    expect(await asking).toMatchObject({ roundTripMs: 70, isFresh: requests === 1 });
  }
  http.close();
});
