// Gateways whose endpoints are each other: one client would come back as another client, without end.
import type { Socket } from "node:net";
import { connectTo, echo, freePort, type Gw, outcome, startBackend, startGw } from "@gw/testing";
import { describe, expect, test } from "vitest";

/**
 * No gateway in a loop ever has more connections open than this: far fewer than without a check. It is 768 and a few more,
 * and up to five times as many for each check that fails because the machine is busy.
 */
const bound = 4_000;
/** On a busy machine three checks may fail, each of which may take ten seconds. */
const limitMs = 180_000;
const found = /self dial/;

/** Gateways whose endpoint is the next one, and for the first of them `beside` as well. */
async function startRing(
  relays: readonly string[],
  beside?: number,
): Promise<AsyncDisposable & { readonly first: Gw; readonly gateways: readonly Gw[] }> {
  const ports = await Promise.all(relays.map(() => freePort()));
  const gateways: Gw[] = [];
  const stop = async (): Promise<void> => {
    for (const gw of gateways) await gw[Symbol.asyncDispose]();
  };
  try {
    for (const [index, relay] of relays.entries()) {
      const endpoints = [`127.0.0.1:${ports[(index + 1) % ports.length]}`];
      if (index === 0 && beside !== undefined) endpoints.push(`127.0.0.1:${beside}`);
      gateways.push(
        await startGw([
          `--relay=${relay}`,
          "--selector=first",
          "--health-check=off",
          `--listen-addr=127.0.0.1:${ports[index]}`,
          `--endpoints=${endpoints}`,
        ]),
      );
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { first: gateways[0] as Gw, gateways, [Symbol.asyncDispose]: stop };
}

/** The most connections that were open at once. */
function mostOpen({ log }: Gw): number {
  let open = 0;
  let most = 0;
  for (const { msg } of log) {
    if (msg === "accepted") open += 1;
    else if (msg === "closed" || msg === "unserved") open -= 1;
    most = Math.max(most, open);
  }
  return most;
}

async function echoed(client: Socket): Promise<string> {
  client.end("hello");
  return (await outcome(client)).received.toString();
}

function errorLines(gateways: readonly Gw[]): number {
  return gateways.flatMap(({ log }) => log).filter(({ msg }) => found.test(msg)).length;
}

const linuxOnly = process.platform !== "linux";

describe.skipIf(linuxOnly)("gateways in a loop", () => {
  test.each([
    [["js", "js"]],
    [["native", "native"]],
    [["js", "native"]],
    [["native", "js"]],
    [["native", "js", "native"]],
  ])(
    "%j find it from one client, and others are served by an endpoint beside it",
    { timeout: limitMs },
    async relays => {
      await using backend = await startBackend(echo);
      await using ring = await startRing(relays, backend.port);
      await outcome(await connectTo(ring.first.port));
      // Each time that another gateway finds the loop, the first one sees clients that its endpoint does not serve.
      while ((await echoed(await connectTo(ring.first.port))) !== "hello");
      expect(await Promise.race(ring.gateways.map(gw => gw.logged(found)))).toMatchObject({ level: "error" });
      for (const gw of ring.gateways) expect(mostOpen(gw)).toBeLessThan(bound);
      expect(errorLines([ring.first])).toBeLessThanOrEqual(1);
      const blamed = ring.first.log.filter(({ msg }) => msg === "endpoint down");
      expect(blamed.map(({ endpoint }) => endpoint)).not.toContain(`127.0.0.1:${backend.port}`);
    },
  );
});

describe.skipIf(linuxOnly).each(["js", "native"])("no loop, with the %s relay", relay => {
  test("thousands of idle clients of an endpoint that sends nothing are all connected", async () => {
    await using backend = await startBackend();
    await using gw = await startGw([
      `--relay=${relay}`,
      "--health-check=off",
      "--log-level=info",
      `--endpoints=127.0.0.1:${backend.port}`,
    ]);
    const clients: Socket[] = [];
    for (let batch = 0; batch < 20; batch += 1)
      clients.push(...(await Promise.all(Array.from({ length: 100 }, () => connectTo(gw.port)))));
    // The gateway's own probes are accepted as well, and closed.
    while (backend.sockets.size < clients.length) await backend.next();
    expect(errorLines([gw])).toBe(0);
    for (const client of clients) client.destroy();
  });

  test("a burst of short connections is served", async () => {
    await using backend = await startBackend(echo);
    await using gw = await startGw([
      `--relay=${relay}`,
      "--health-check=off",
      "--log-level=info",
      `--endpoints=127.0.0.1:${backend.port}`,
    ]);
    const one = async (): Promise<void> => {
      for (let count = 0; count < 20; count += 1)
        expect(await echoed(await connectTo(gw.port))).toBe("hello");
    };
    await Promise.all(Array.from({ length: 100 }, one));
    expect(errorLines([gw])).toBe(0);
  });
});
