import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { type Address, formatAddress, type Observer } from "@gw/interface";
import { connectTo, freePort } from "@gw/testing";
import { expect, test } from "vitest";
import { createDialer, createProxy, inOrder, type TcpProxy } from "./index.js";

/** A proxy that listens at a name with these addresses. */
function proxyAt(addresses: readonly string[], port: number, observer: Observer = {}): TcpProxy {
  const dialer = createDialer({ lookup: async () => ({ addresses }) });
  return createProxy({ listen: [{ host: "gateway.test", port }], pool: inOrder([]), dialer, observer });
}

async function occupy(host: string, port: number): Promise<Server> {
  const server = createServer().listen(port, host);
  await once(server, "listening");
  return server;
}

// Only Linux has all of 127.0.0.0/8.
const test8 = test.skipIf(process.platform !== "linux");

test8("a proxy listens at all addresses of a name, on one free port, each once", async () => {
  const proxy = proxyAt(["127.0.0.1", "127.0.0.2", "127.0.0.1"], 0);
  const addresses = await proxy.listen();
  expect(addresses.map(({ host }) => host)).toEqual(["127.0.0.1", "127.0.0.2"]);
  expect(new Set(addresses.map(({ port }) => port)).size).toBe(1);
  await proxy.close({ graceMs: 0 });
});

test("addresses that this machine does not have are left out and reported", async () => {
  const skipped: string[] = [];
  const listenSkipped = ({ address, error }: { address: Address; error: { code: string } }): void => {
    skipped.push(`${formatAddress(address)} ${error.code}`);
  };
  const port = await freePort();
  const proxy = proxyAt(["203.0.113.1", "127.0.0.1"], port, { listenSkipped });
  expect(await proxy.listen()).toEqual([{ host: "127.0.0.1", port }]);
  expect(skipped).toEqual([`203.0.113.1:${port} address-not-available`]);
  await proxy.close({ graceMs: 0 });
});

test("it is an error if it has none of them", async () => {
  await expect(proxyAt(["203.0.113.1", "203.0.113.2"], 1).listen()).rejects.toMatchObject({
    code: "address-not-available",
    detail: expect.stringContaining("listen on 203.0.113.1:1"),
  });
});

test8("it is an error if one of them is in use, and then none is listened on", async () => {
  const port = await freePort();
  const taken = await occupy("127.0.0.2", port);
  await expect(proxyAt(["127.0.0.1", "127.0.0.2"], port).listen()).rejects.toMatchObject({
    code: "address-in-use",
  });
  await expect(connectTo(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  taken.close();
});

test("a name and one of its addresses can be listened on together", async () => {
  const port = await freePort();
  const dialer = createDialer({ lookup: async () => ({ addresses: ["127.0.0.1"] }) });
  const listen = [
    { host: "127.0.0.1", port },
    { host: "gateway.test", port },
  ];
  const proxy = createProxy({ listen, pool: inOrder([]), dialer });
  expect(await proxy.listen()).toEqual([{ host: "127.0.0.1", port }]);
  await proxy.close({ graceMs: 0 });
});

test("a name that cannot be resolved is an error that names it", async () => {
  const dialer = createDialer({ lookup: async () => ({ addresses: [] }) });
  const proxy = createProxy({ listen: [{ host: "gateway.test", port: 1 }], pool: inOrder([]), dialer });
  await expect(proxy.listen()).rejects.toMatchObject({
    code: "name-not-resolved",
    detail: 'listen on gateway.test:1: "gateway.test" has no address',
  });
});
