import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { formatAddress, GatewayError, type Relay } from "@gw/interface";
import { expect, test } from "vitest";
import { type RelayComplianceOptions, relayCompliance } from "../src/index.js";
import type { Fault } from "./faults.js";
import { keepAliveOf, RelayedClient, socketOptions } from "./relayed-client.js";

/** A relay as simple as one can be that keeps the contract, but for its faults. */
export function relay(...list: readonly Fault[]): Relay {
  const faults = new Set(list);
  return {
    name: faults.has("has no name") ? "" : "reference",
    async listen(address, handlers, settings) {
      const clients = new Set<RelayedClient>();
      const server = createServer({
        ...socketOptions,
        ...keepAliveOf(settings, faults),
        pauseOnConnect: true,
      });
      server.on("connection", socket => {
        const client = new RelayedClient(socket, settings, faults);
        clients.add(client);
        const events = handlers.onClient(client);
        if (events) client.start(events, () => clients.delete(client));
        else if (faults.has("ends the refused")) socket.end();
        else socket.resetAndDestroy();
      });
      const host = faults.has("listens everywhere") ? "0.0.0.0" : address.host;
      server.listen({ host, port: address.port, backlog: 4096 });
      await once(server, "listening").catch(error => {
        if (faults.has("keeps listeners that failed")) createServer().listen(0).unref();
        if (faults.has("throws what Node throws")) throw error;
        throw GatewayError.from(error, `listen on ${formatAddress(address)}`);
      });
      if (faults.has("opens before it resolves")) await once(server, "connection");
      const bound = server.address() as AddressInfo;
      let closed = false;
      return {
        address: faults.has("tells port 0") ? address : { host: bound.address, port: bound.port },
        close() {
          if (closed && faults.has("closes once only")) throw new Error("it is closed");
          closed = true;
          if (faults.has("closes clients with the listener")) for (const client of clients) client.abort();
          if (!faults.has("goes on accepting")) server.close();
          else setTimeout(() => server.close(), 500);
        },
      };
    },
  };
}

/** Faults that the suite must catch, each by the case that is named, whose message says what was seen. */
export type CaughtFaults = { readonly [fault in Fault]?: readonly [fails: string, saying: RegExp] };

const small: RelayComplianceOptions = {
  bulkBytes: 8 * 1024 * 1024,
  connections: 100,
  idleConnections: 100,
  turnover: 200,
  limitMs: 1_000,
};

/** @param options what is not said is small, and the limit a second: what hangs does so for ever */
export function testThatFaultsAreCaught(caught: CaughtFaults, options: RelayComplianceOptions = {}): void {
  test.each(Object.entries(caught))("catches a relay that %s", async (fault, [fails, saying]) => {
    const cases = relayCompliance(() => relay(fault as Fault), { ...small, ...options });
    const one = cases.find(({ name }) => name === fails);
    await expect(one?.run()).rejects.toThrow(saying);
  });
}
