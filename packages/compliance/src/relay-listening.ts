import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { inspect } from "node:util";
import { type Address, formatAddress, type GatewayErrorCode } from "@gw/interface";
import { descriptorsAreKnown, descriptorsFallTo, openDescriptors } from "./descriptors.js";
import type { Bench, RelayCase } from "./relay-bench.js";
import { demandCode } from "./served.js";
import { Surprise } from "./waiting.js";

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
