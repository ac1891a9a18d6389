import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { inspect } from "node:util";
import { type Address, formatAddress, type GatewayErrorCode } from "@gw/interface";
import { demandCode } from "../test-support/accepted-client.js";
import {
  type Bench,
  descriptorsAreKnown,
  descriptorsFallTo,
  openDescriptors,
  type RelayCase,
} from "../test-support/harness.js";
import { Surprise } from "../test-support/waitable.js";

/** Whether there is an IPv6 loopback. */
export const hasIPv6: boolean = Object.values(networkInterfaces()).some(all =>
  all?.some(({ address }) => address === "::1"),
);
const where = "A listener is open where it was told to be, and says at which port.";
const throws = "listen() throws a GatewayError if it cannot have the address; then nothing is listened on.";

/** Where a relay listens, and what it says of that. */
export const listeningCases: readonly RelayCase[] = [
  {
    name: "has a name",
    contract: "A relay has a name, for logs.",
    async check({ relay: { name } }) {
      if (typeof name !== "string" || name === "") throw new Surprise(inspect(name));
    },
  },
  {
    name: "listens on a free port of an IPv4 address",
    contract: where,
    check: bench => listensOn(bench, "127.0.0.1", "127.0.0.1"),
  },
  {
    name: "listens on a host name",
    contract: where,
    check: bench => listensOn(bench, "localhost", "127.0.0.1"),
  },
  {
    name: "listens on a free port of an IPv6 address",
    contract: where,
    possible: hasIPv6,
    check: bench => listensOn(bench, "::1", "::1"),
  },
  {
    name: "throws address-in-use for a port that is in use",
    contract: throws,
    async check(bench) {
      const backend = await bench.backend();
      await failsToListen(bench, backend.address, "address-in-use");
      const client = bench.client(backend.address);
      client.end("still yours");
      await (await backend.next()).gets("still yours");
      await backend.stop();
      await bench.accepted(await bench.listen({ address: backend.address }));
    },
  },
  {
    name: "throws address-not-available for an address of another machine",
    contract: throws,
    // Of a block that is reserved for documentation (RFC 5737).
    check: bench => failsToListen(bench, { host: "192.0.2.1", port: 0 }, "address-not-available"),
  },
  {
    name: "keeps no descriptor of a listener that could not be opened",
    contract: throws,
    possible: descriptorsAreKnown,
    async check(bench) {
      const { address } = await bench.listen();
      await failsToListen(bench, address, "address-in-use");
      const before = openDescriptors();
      for (let count = 0; count < 10; count++) await failsToListen(bench, address, "address-in-use");
      await descriptorsFallTo(before, bench.sizes.limitMs);
    },
  },
  {
    name: "tells of no client before listen() has resolved",
    contract: "Handlers are never called from within listen().",
    async check(bench) {
      const address = await bench.nobody();
      const listening = bench.listen({ address });
      // These come as early as a client can.
      const clients = Array.from({ length: 8 }, () => bench.client(address));
      const door = await listening;
      for (const client of clients) if (await client.settled()) await door.servedOf(client.port);
    },
  },
];

async function listensOn(bench: Bench, name: string, host: string): Promise<void> {
  const [door, backend] = [
    await bench.listen({ address: { host: name, port: 0 } }),
    await bench.backend({ host, port: 0 }),
  ];
  const { address } = door;
  if (!(Number.isInteger(address.port) && address.port > 0)) throw new Surprise(`port ${address.port}`);
  if (isIP(name) && address.host !== name)
    throw new Surprise(`${formatAddress(address)} in place of ${name}`);
  const { client, server } = await bench.connected(door, backend);
  client.send("hello");
  await server.gets("hello");
}

async function failsToListen(bench: Bench, address: Address, code: GatewayErrorCode): Promise<void> {
  const error = await bench.listen({ address }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Error)) throw new Surprise(`it did not throw for ${formatAddress(address)}`);
  demandCode(error, [code], `listen(${formatAddress(address)}) threw`);
}

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
