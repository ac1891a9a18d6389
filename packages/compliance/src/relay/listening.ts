import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { inspect } from "node:util";
import { type Address, formatAddress, type GatewayErrorCode } from "@gw/interface";
import { demandCode } from "../test-support/accepted-client.js";
import {
  descriptorsAreKnown,
  descriptorsFallTo,
  type Harness,
  openDescriptors,
  type RelayCase,
} from "../test-support/harness.js";
import { Mismatch } from "../test-support/waitable.js";

/** Whether there is an IPv6 loopback. */
const hasIPv6: boolean = Object.values(networkInterfaces()).some(all =>
  all?.some(({ address }) => address === "::1"),
);
const where = "A listener is bound to the address that it was given, and reports its port.";
const throws = "listen() throws a GatewayError if it cannot bind the address, and leaves nothing open.";

/** Where a relay listens, and which address it reports. */
export const listeningCases: readonly RelayCase[] = [
  {
    name: "has a name",
    contract: "A relay has a name, for logs.",
    async check({ relay: { name } }) {
      if (typeof name !== "string" || name === "") throw new Mismatch(inspect(name));
    },
  },
  {
    name: "listens on a free port of an IPv4 address",
    contract: where,
    check: harness => listensOn(harness, "127.0.0.1", "127.0.0.1"),
  },
  {
    name: "listens on a host name",
    contract: where,
    check: harness => listensOn(harness, "localhost", "127.0.0.1"),
  },
  {
    name: "listens on a free port of an IPv6 address",
    contract: where,
    possible: hasIPv6,
    check: harness => listensOn(harness, "::1", "::1"),
  },
  {
    name: "throws address-in-use for a port that is in use",
    contract: throws,
    async check(harness) {
      const backend = await harness.backend();
      await failsToListen(harness, backend.address, "address-in-use");
      const client = harness.client(backend.address);
      client.end("still yours");
      await (await backend.next()).gets("still yours");
      await backend.stop();
      await harness.accept(await harness.listen({ address: backend.address }));
    },
  },
  {
    name: "throws address-not-available for an address of another machine",
    contract: throws,
    // From a block that is reserved for documentation (RFC 5737).
    check: harness => failsToListen(harness, { host: "192.0.2.1", port: 0 }, "address-not-available"),
  },
  {
    name: "keeps no descriptor of a listener that could not be opened",
    contract: throws,
    possible: descriptorsAreKnown,
    async check(harness) {
      const { address } = await harness.listen();
      await failsToListen(harness, address, "address-in-use");
      const before = openDescriptors();
      for (let count = 0; count < 10; count++) await failsToListen(harness, address, "address-in-use");
      await descriptorsFallTo(before, harness.sizes.limitMs);
    },
  },
  {
    name: "reports no client before listen() has resolved",
    contract: "Handlers are never called from within listen().",
    async check(harness) {
      const address = await harness.refusingAddress();
      const listening = harness.listen({ address });
      // These connect as early as a client can.
      const clients = Array.from({ length: 8 }, () => harness.client(address));
      const listener = await listening;
      for (const client of clients) if (await client.connects()) await listener.acceptedFrom(client.port);
    },
  },
];

async function listensOn(harness: Harness, name: string, host: string): Promise<void> {
  const [listener, backend] = [
    await harness.listen({ address: { host: name, port: 0 } }),
    await harness.backend({ host, port: 0 }),
  ];
  const { address } = listener;
  if (!(Number.isInteger(address.port) && address.port > 0)) throw new Mismatch(`port ${address.port}`);
  if (isIP(name) && address.host !== name)
    throw new Mismatch(`${formatAddress(address)} in place of ${name}`);
  const { client, server } = await harness.connect(listener, backend);
  client.send("hello");
  await server.gets("hello");
}

async function failsToListen(harness: Harness, address: Address, code: GatewayErrorCode): Promise<void> {
  const error = await harness.listen({ address }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Error)) throw new Mismatch(`it did not throw for ${formatAddress(address)}`);
  demandCode(error, [code], `listen(${formatAddress(address)}) threw`);
}

/** Which clients a relay accepts, and until when. */
export const acceptingCases: readonly RelayCase[] = [
  {
    name: "reports a client's address",
    contract: "A client's address is that of the peer; its host is an IP literal.",
    async check(harness) {
      for (const host of hasIPv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"]) {
        const listener = await harness.listen({ address: { host, port: 0 } });
        const { client, accepted } = await harness.accept(listener);
        const { address } = accepted.client;
        const own = { host: client.socket.localAddress ?? "", port: client.socket.localPort ?? 0 };
        if (!isIP(address.host) || formatAddress(address) !== formatAddress(own))
          throw new Mismatch(`${formatAddress(address)} for a client at ${formatAddress(own)}`);
      }
    },
  },
  {
    name: "accepts no more clients once its listener is closed, and keeps those that it has",
    contract: "close() stops accepting. Clients that were accepted stay.",
    async check(harness) {
      const [listener, backend] = [await harness.listen(), await harness.backend()];
      const waiting = await harness.accept(listener);
      const { client, server } = await harness.connect(listener, backend);
      listener.bound?.close();
      const late = harness.client(listener.address);
      if (await late.connects()) await late.getsReset();
      if (listener.acceptedCount > 2)
        throw new Mismatch("onClient() for a client that connected after close()");
      waiting.client.send("waited");
      waiting.accepted.dial(backend.address);
      await waiting.accepted.isConnected();
      await (await backend.next()).gets("waited");
      client.send("stays");
      await server.gets("stays");
    },
  },
  {
    name: "does nothing when its listener is closed a second time",
    contract: "close() does nothing the second time.",
    async check(harness) {
      const [listener, other] = [await harness.listen(), await harness.listen()];
      listener.bound?.close();
      listener.bound?.close();
      await harness.accept(other);
      // What has its descriptor or port now must not lose it.
      const successor = await harness.listen({ address: listener.address });
      listener.bound?.close();
      await harness.accept(successor);
    },
  },
  {
    name: "listens again on the port of a closed listener, though its connections are open",
    contract: "close() stops accepting, so the address is free again.",
    async check(harness) {
      const [listener, backend] = [await harness.listen(), await harness.backend()];
      const { client, server } = await harness.connect(listener, backend);
      listener.bound?.close();
      const successor = await harness.listen({ address: listener.address });
      await harness.connect(successor, backend);
      client.send("stays");
      await server.gets("stays");
      if (listener.acceptedCount !== 1) throw new Mismatch("the closed listener accepted a client");
    },
  },
  {
    name: "resets the clients that are refused, and no others",
    contract: "A client for which onClient() returns undefined is reset.",
    async check(harness) {
      let refusing = false;
      const listener = await harness.listen({ onClient: () => !refusing });
      const { client, server } = await harness.connect(listener, await harness.backend());
      refusing = true;
      const refused = Array.from({ length: 8 }, () => harness.client(listener.address));
      for (const [index, one] of refused.entries()) if (index % 2) one.send("let me in");
      for (const one of refused) await one.getsReset();
      refusing = false;
      await harness.accept(listener);
      client.send("stays");
      await server.gets("stays");
    },
  },
];
