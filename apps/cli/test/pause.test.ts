// The gateway's process is stopped for a while, as when its machine is: that time counts against no endpoint.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connectTo, echo, type Gw, startBackend, startGw } from "@gw/testing";
import { describe, expect, test } from "vitest";

/** Longer than all timeouts here. */
const pausedMs = 3_000;
const timeoutMs = 2_000;

/** Stops the gateway, lets others go on for {@link pausedMs}, and continues it. */
async function pause(gw: Gw, meanwhile: () => Promise<unknown>): Promise<void> {
  await gw.pause();
  try {
    await Promise.all([meanwhile(), sleep(pausedMs)]);
  } finally {
    gw.resume();
  }
}

async function echoed(client: Socket, text: string): Promise<string> {
  client.write(text);
  return reply(client);
}

/** What comes next, or how the connection ended. */
function reply(client: Socket): Promise<string> {
  return new Promise(resolve => {
    if (client.destroyed) resolve(`closed: ${client.errored}`);
    client.once("data", data => resolve(data.toString()));
    client.once("error", error => resolve(error.message));
    client.once("end", () => resolve("end"));
  });
}

const skip = process.platform === "win32";

describe.skipIf(skip).each(["js", "native"])(
  "with --relay=%s, when gw was stopped longer than timeouts",
  relay => {
    test.skipIf(relay === "native" && process.platform !== "linux")(
      "traffic that came meanwhile is served, and no connection is reset",
      { concurrent: true },
      async () => {
        await using backend = await startBackend(echo);
        await using gw = await startGw([
          `--endpoints=127.0.0.1:${backend.port}`,
          `--relay=${relay}`,
          `--idle-timeout=${timeoutMs}ms`,
          `--write-timeout=${timeoutMs}ms`,
          `--half-close-timeout=${timeoutMs}ms`,
          `--connect-timeout=${timeoutMs}ms`,
          "--health-check=off",
        ]);
        const clients = await Promise.all(Array.from({ length: 300 }, () => connectTo(gw.port)));
        await Promise.all(clients.map(client => echoed(client, "before")));
        const late: Socket[] = [];
        await pause(gw, async () => {
          for (const client of clients) client.write("meanwhile");
          // The kernel accepts them; gw does later.
          for (let count = 0; count < 20; count++) late.push(await connectTo(gw.port));
          for (const client of late) client.write("meanwhile");
        });
        const replies = await Promise.all([...clients, ...late].map(reply));
        expect(replies.filter(text => text !== "meanwhile")).toEqual([]);
        expect(gw.log.filter(({ msg }) => /down|unserved/.test(msg))).toEqual([]);
        for (const client of [...clients, ...late]) client.destroy();
      },
    );

    test.skipIf(relay === "native" && process.platform !== "linux")(
      "connections without a byte have the rest of their time",
      { concurrent: true },
      async () => {
        await using backend = await startBackend(echo);
        await using gw = await startGw([
          `--endpoints=127.0.0.1:${backend.port}`,
          `--relay=${relay}`,
          `--idle-timeout=${timeoutMs}ms`,
          "--health-check=off",
        ]);
        const clients = await Promise.all(Array.from({ length: 10 }, () => connectTo(gw.port)));
        await Promise.all(clients.map(client => echoed(client, "before")));
        await pause(gw, async () => {});
        const replies = await Promise.all(clients.map(client => echoed(client, "after")));
        expect(replies.filter(text => text !== "after")).toEqual([]);
        for (const client of clients) client.destroy();
      },
    );
  },
);

test.skipIf(skip)(
  "an endpoint that answered a health check while gw was stopped is not marked down",
  { concurrent: true },
  async () => {
    let gw: Gw | undefined;
    const answered: boolean[] = [];
    const server = createServer((_, response) => {
      if (!gw || answered.length > 0) return response.end("ok");
      answered.push(true);
      void pause(gw, async () => response.end("ok")).then(() => server.emit("continued"));
      return undefined;
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await using gateway = await startGw([
      `--endpoints=127.0.0.1:${port}`,
      "--health-check=http",
      `--health-timeout=${timeoutMs}ms`,
      "--health-interval=100ms",
      "--health-fall=1",
    ]);
    gw = gateway;
    await once(server, "continued");
    // The check that was under way has ended when the next one comes.
    for (let checks = 0; checks < 3; checks++) await once(server, "request");
    expect(gateway.log.filter(({ msg }) => /down|panic/.test(msg))).toEqual([]);
    server.closeAllConnections();
    server.close();
  },
);
