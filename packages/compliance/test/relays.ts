import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type Address, type ClientEvents, formatAddress, GatewayError, type Relay } from "@gw/interface";
import { expect, test } from "vitest";
import { type RelayComplianceOptions, relayCompliance } from "../src/index.js";
import type { Fault } from "./faults.js";
import { ReferenceStock } from "./reference-stock.js";
import { keepAliveOf, socketOptions } from "./relay-dial.js";
import { RelayedClient } from "./relayed-client.js";

/** A simple relay that keeps the contract, except for the given faults. */
export function relay(...list: readonly Fault[]): Relay {
  const faults = new Set(list);
  return {
    name: faults.has("has no name") ? "" : "reference",
    createStock: () => new ReferenceStock(faults),
    async listen(address: Address, handlers, settings) {
      const clients = new Set<RelayedClient>();
      const server = createServer({
        ...socketOptions,
        ...keepAliveOf(settings, faults),
        pauseOnConnect: true,
      });
      server.on("connection", socket => {
        const client = new RelayedClient(socket, settings, faults);
        clients.add(client);
        const dial = handlers.stock instanceof ReferenceStock ? handlers.stock.forClient() : undefined;
        const events = handlers.onClient(client, faults.has("hides the dials of clients") ? undefined : dial);
        const acceptedAt = performance.now();
        let isStocked = dial !== undefined;
        const timed: ClientEvents | undefined = events && {
          connected: address =>
            events.connected(address, isStocked ? performance.now() - acceptedAt : undefined),
          dialFailed: error => {
            isStocked &&= faults.has("times each dial from accept");
            events.dialFailed(error);
          },
          stalled: () => events.stalled?.(),
          ended: end => events.ended(end),
        };
        if (timed) client.start(timed, () => clients.delete(client));
        else if (faults.has("ends refused clients")) socket.end();
        else socket.resetAndDestroy();
        if (events && dial) client.dial(dial.addresses, dial.timeoutMs);
      });
      const host = faults.has("listens everywhere") ? "0.0.0.0" : address.host;
      server.listen({ host, port: address.port, backlog: 4096 });
      await once(server, "listening").catch(error => {
        if (faults.has("leaks listeners that failed")) createServer().listen(0).unref();
        if (faults.has("throws what Node throws")) throw error;
        throw GatewayError.from(error, `listen on ${formatAddress(address)}`);
      });
      if (faults.has("accepts before listen() resolves")) await once(server, "connection");
      const bound = server.address() as AddressInfo;
      let closed = false;
      return {
        address: faults.has("reports port 0") ? address : { host: bound.address, port: bound.port },
        close() {
          if (closed && faults.has("throws when closed twice")) throw new Error("it is closed");
          closed = true;
          if (faults.has("closes clients with the listener")) for (const client of clients) client.abort();
          if (!faults.has("continues to accept")) server.close();
          else setTimeout(() => server.close(), 500);
        },
      };
    },
  };
}

/** Faults that the suite must catch, each with the case that must fail and what its message must match. */
export type CaughtFaults = { readonly [fault in Fault]?: readonly [fails: string, message: RegExp] };

const small: RelayComplianceOptions = {
  bulkBytes: 8 * 1024 * 1024,
  connections: 100,
  idleConnections: 100,
  turnover: 200,
  limitMs: 1_000,
};

/** @param options small sizes by default, and a limit of one second, as what hangs does so for ever */
export function testThatFaultsAreCaught(caught: CaughtFaults, options: RelayComplianceOptions = {}): void {
  test.each(Object.entries(caught))("catches a relay that %s", async (fault, [fails, message]) => {
    const cases = relayCompliance(() => relay(fault as Fault), { ...small, ...options });
    const one = cases.find(({ name }) => name === fails);
    await expect(one?.run()).rejects.toThrow(message);
  });
}
