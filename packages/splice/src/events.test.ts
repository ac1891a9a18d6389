import type { ClientEvents, GatewayError, RelayClient, RelayEnd } from "@gw/interface";
import { freePort, outcome, startBackend } from "@gw/testing";
import { expect } from "vitest";
import { test } from "../test/available.js";
import { block, connectTo, listen, until } from "../test/serving.js";
import { splice } from "./index.js";

/** What is told of one client. */
class Followed implements ClientEvents {
  readonly told: string[] = [];
  /** Called first in each event. */
  react: () => void = () => {};
  readonly client: RelayClient;

  constructor(client: RelayClient) {
    this.client = client;
  }

  connected(): void {
    this.#tell("connected");
  }

  dialFailed({ code }: GatewayError): void {
    this.#tell(`dial failed: ${code}`);
  }

  ended({ reason }: RelayEnd): void {
    this.#tell(`ended: ${reason}`);
  }

  #tell(event: string): void {
    this.told.push(event);
    this.react();
  }
}

/** Two clients that were accepted; none is dialled for. */
async function twoClients() {
  const followed: Followed[] = [];
  const listener = await listen(splice(), client => followed[followed.push(new Followed(client)) - 1]);
  const sockets = [connectTo(listener), connectTo(listener)];
  await until(() => followed.length === 2);
  listener.close();
  return { sockets, clients: followed as [Followed, Followed] };
}

/** What happens during this time is told at once after it. */
const together = () => block(100);

test("of a dial that is given up while its failure waits to be told, nothing is told", async () => {
  await using backend = await startBackend();
  const refused = { host: "127.0.0.1", port: await freePort() };
  const { sockets, clients } = await twoClients();
  let other: Followed | undefined;
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
  await until(() => other?.told.at(-1) === "connected");
  expect(other?.told).toEqual(["connected"]);
  for (const { client } of clients) client.abort();
  await until(() => clients.every(({ told }) => told.at(-1) === "ended: aborted"));
  for (const socket of sockets) socket.destroy();
});

test("a connection whose end waits to be told can be looked at, and be told anything", async () => {
  await using backend = await startBackend();
  const { sockets, clients } = await twoClients();
  for (const { client } of clients) client.dial([backend.address], 10_000);
  await until(() => clients.every(({ told }) => told.length === 1));
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
  await until(() => clients.every(({ told }) => told.length === 2));
  for (const { told } of clients) expect(told[1]).toMatch(/^ended: (client-failed|aborted)$/);
  expect(seen).toEqual([0, 0]);
});

test("a client that nobody was told of before its listener closed is reset", async () => {
  const accepted: RelayClient[] = [];
  const listener = await listen(splice(), client => {
    accepted.push(client);
    return undefined;
  });
  const socket = connectTo(listener);
  const fate = outcome(socket);
  // That is when Node connects; what the relay tells comes later.
  await new Promise(resolve => process.nextTick(resolve));
  together();
  listener.close();
  expect(await fate).toMatchObject({ end: "ECONNRESET" });
  expect(accepted).toEqual([]);
});
