import type { ClientEvents, GatewayError, RelayClient, RelayEnd } from "@gw/interface";
import { freePort, outcome, startBackend } from "@gw/testing";
import { expect } from "vitest";
import { test } from "../test/available.js";
import { block, connectTo, listen, until } from "../test/serving.js";
import { splice } from "./index.js";

/** Records the events of one client. */
class Recorder implements ClientEvents {
  readonly events: string[] = [];
  /** Called first in each event. */
  react: () => void = () => {};
  readonly client: RelayClient;

  constructor(client: RelayClient) {
    this.client = client;
  }

  connected(): void {
    this.#record("connected");
  }

  dialFailed({ code }: GatewayError): void {
    this.#record(`dial failed: ${code}`);
  }

  ended({ reason }: RelayEnd): void {
    this.#record(`ended: ${reason}`);
  }

  #record(event: string): void {
    this.events.push(event);
    this.react();
  }
}

/** Two accepted clients, with no dial yet. */
async function twoClients() {
  const recorders: Recorder[] = [];
  const listener = await listen(splice(), client => recorders[recorders.push(new Recorder(client)) - 1]);
  const sockets = [connectTo(listener), connectTo(listener)];
  await until(() => recorders.length === 2);
  listener.close();
  return { sockets, clients: recorders as [Recorder, Recorder] };
}

/** Everything that happens during this time is reported at once after it. */
const together = () => block(100);

test("a dial that is cancelled while its failure waits to be reported has no event", async () => {
  await using backend = await startBackend();
  const refused = { host: "127.0.0.1", port: await freePort() };
  const { sockets, clients } = await twoClients();
  let other: Recorder | undefined;
  for (const here of clients) {
    here.client.dial([refused], 10_000);
    here.react = () => {
      if (other) return;
      other = clients.find(client => client !== here);
      other?.client.cancelDial();
      other?.client.dial([backend.address], 10_000);
    };
  }
  together();
  await until(() => other?.events.at(-1) === "connected");
  expect(other?.events).toEqual(["connected"]);
  for (const { client } of clients) client.abort();
  await until(() => clients.every(({ events }) => events.at(-1) === "ended: aborted"));
  for (const socket of sockets) socket.destroy();
});

test("a connection whose end waits to be reported can be read, and given any order", async () => {
  await using backend = await startBackend();
  const { sockets, clients } = await twoClients();
  for (const { client } of clients) client.dial([backend.address], 10_000);
  await until(() => clients.every(({ events }) => events.length === 1));
  const seen: unknown[] = [];
  for (const here of clients)
    here.react = () => {
      for (const { client } of clients.filter(other => other !== here)) {
        seen.push(client.bytesFromClient + client.bytesFromBackend);
        client.cancelDial();
        client.close();
        client.abort();
      }
    };
  for (const socket of sockets) socket.resetAndDestroy();
  together();
  await until(() => clients.every(({ events }) => events.length === 2));
  for (const { events } of clients) expect(events[1]).toMatch(/^ended: (client-failed|aborted)$/);
  expect(seen).toEqual([0, 0]);
});

test("a client that was accepted and not reported before its listener closed is reset", async () => {
  const accepted: RelayClient[] = [];
  const listener = await listen(splice(), client => {
    accepted.push(client);
    return undefined;
  });
  const socket = connectTo(listener);
  const fate = outcome(socket);
  // By then Node has connected; the relay reports later.
  await new Promise(resolve => process.nextTick(resolve));
  together();
  listener.close();
  expect(await fate).toMatchObject({ end: "ECONNRESET" });
  expect(accepted).toEqual([]);
});
