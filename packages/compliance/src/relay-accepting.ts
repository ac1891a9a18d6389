import { isIP } from "node:net";
import { formatAddress } from "@gw/interface";
import type { RelayCase } from "./relay-bench.js";
import { hasIPv6 } from "./relay-listening.js";
import { Surprise } from "./waiting.js";

/** Whom a relay accepts, and for how long. */
export const acceptingCases: readonly RelayCase[] = [
  {
    name: "tells a client's address",
    contract: "A client's address is that of the peer; its host is an IP literal.",
    async check(bench) {
      for (const host of hasIPv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"]) {
        const door = await bench.listen({ address: { host, port: 0 } });
        const { client, served } = await bench.accepted(door);
        const { address } = served.client;
        const own = { host: client.socket.localAddress ?? "", port: client.socket.localPort ?? 0 };
        if (!isIP(address.host) || formatAddress(address) !== formatAddress(own))
          throw new Surprise(`${formatAddress(address)} for a client at ${formatAddress(own)}`);
      }
    },
  },
  {
    name: "accepts no more clients once its listener is closed, and keeps those that it has",
    contract: "close() stops accepting. Clients that were accepted stay.",
    async check(bench) {
      const [door, backend] = [await bench.listen(), await bench.backend()];
      const waiting = await bench.accepted(door);
      const { client, server } = await bench.connected(door, backend);
      door.listener?.close();
      const late = bench.client(door.address);
      if (await late.settled()) await late.getsReset();
      if (door.count > 2) throw new Surprise("onClient() for a client that came after close()");
      waiting.client.send("waited");
      waiting.served.dial(backend.address);
      await waiting.served.isConnected();
      await (await backend.next()).gets("waited");
      client.send("stays");
      await server.gets("stays");
    },
  },
  {
    name: "does nothing when its listener is closed a second time",
    contract: "close() does nothing the second time.",
    async check(bench) {
      const [door, other] = [await bench.listen(), await bench.listen()];
      door.listener?.close();
      door.listener?.close();
      await bench.accepted(other);
      // Whoever has its descriptor or port now must not lose it.
      const successor = await bench.listen({ address: door.address });
      door.listener?.close();
      await bench.accepted(successor);
    },
  },
  {
    name: "listens again on the port of a closed listener, though its connections are open",
    contract: "close() stops accepting, so the address is free again.",
    async check(bench) {
      const [door, backend] = [await bench.listen(), await bench.backend()];
      const { client, server } = await bench.connected(door, backend);
      door.listener?.close();
      const successor = await bench.listen({ address: door.address });
      await bench.connected(successor, backend);
      client.send("stays");
      await server.gets("stays");
      if (door.count !== 1) throw new Surprise("the closed listener was told of a client");
    },
  },
  {
    name: "resets the clients that are refused, and no others",
    contract: "A client for which onClient() returns undefined is reset.",
    async check(bench) {
      let refusing = false;
      const door = await bench.listen({ greet: () => !refusing });
      const { client, server } = await bench.connected(door, await bench.backend());
      refusing = true;
      const refused = Array.from({ length: 8 }, () => bench.client(door.address));
      for (const [index, one] of refused.entries()) if (index % 2) one.send("let me in");
      for (const one of refused) await one.getsReset();
      refusing = false;
      await bench.accepted(door);
      client.send("stays");
      await server.gets("stays");
    },
  },
];
