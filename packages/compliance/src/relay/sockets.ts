import { existsSync } from "node:fs";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Address, formatAddress, type GatewayError, unixAddress } from "@gw/interface";
import { demandCode } from "../test-support/accepted-client.js";
import { type Harness, loopback, noTimeouts, type RelayCase } from "../test-support/harness.js";
import { Mismatch } from "../test-support/waitable.js";
import type { RelayFactory } from "./options.js";
import { RelayProcess } from "./process.js";

/** Calls `use` with a path in a folder of its own, which is removed afterwards. */
async function withPath(use: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "gw-relay-"));
  try {
    await use(join(folder, "relay.sock"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Unix sockets that a relay creates. */
export const pathCases: readonly RelayCase[] = [
  {
    name: "listens at a path, and passes bytes and ends on",
    contract: "A relay that takes sockets creates a Unix socket at the path that it is given.",
    check: harness =>
      withPath(async path => {
        const [listener, backend] = [await harness.listen({ address: { path } }), await harness.backend()];
        demandAddress(listener.address, unixAddress(path), "the listener");
        const { client, accepted, server } = await harness.connect(listener, backend);
        demandAddress(accepted.client.address, unixAddress(), "the client");
        client.end("question");
        await server.getsEnd("question");
        server.send("answer");
        await client.gets("answer");
        server.end("more");
        await client.getsEnd("more");
        await accepted.ends("finished");
      }),
  },
  {
    name: "ends a client of a path whose backend is reset, and one that is aborted",
    contract: "A client of a Unix socket, which has no reset, sees an end of input.",
    check: harness =>
      withPath(async path => {
        const [listener, backend] = [await harness.listen({ address: { path } }), await harness.backend()];
        const { client, accepted, server } = await harness.connect(listener, backend);
        await server.reset();
        await client.getsEnd();
        await accepted.ends("backend-failed");
        const other = await harness.connect(listener, backend);
        other.accepted.abort();
        await other.client.getsEnd();
        await other.server.getsReset();
        await other.accepted.ends("aborted");
      }),
  },
  {
    name: "throws address-in-use for a path where there is a file, and leaves it there",
    contract: "listen() throws address-in-use where there is any file at the path.",
    check: harness =>
      withPath(async path => {
        await writeFile(path, "");
        const error = await harness.listen({ address: { path } }).catch((thrown: GatewayError) => thrown);
        if (!(error instanceof Error)) throw new Mismatch("it did not throw");
        demandCode(error, ["address-in-use"], "listen() threw");
        if (!existsSync(path)) throw new Mismatch("the file was removed");
      }),
  },
  {
    name: "removes the file of a path when its listener is closed",
    contract: "The file at the path is removed when the listener is closed.",
    check: harness =>
      withPath(async path => {
        const listener = await harness.listen({ address: { path } });
        await harness.accept(listener);
        listener.bound?.close();
        if (existsSync(path)) throw new Mismatch("the file is there");
        const successor = await harness.listen({ address: { path } });
        listener.bound?.close();
        await harness.accept(successor);
      }),
  },
];

function demandAddress(seen: Address, expected: Address, what: string): void {
  const [text, wanted] = [formatAddress(seen), formatAddress(expected)];
  if (text !== wanted || seen.port !== 0)
    throw new Mismatch(`${what} is at ${text}, port ${seen.port}, in place of ${wanted}, port 0`);
}

/** Sockets that listen already: they are passed to processes of their own. */
export function inheritedCases(factory: RelayFactory): readonly RelayCase[] {
  return [
    {
      name: "listens on TCP sockets of others, which can go on when it has closed",
      contract: inherited,
      check: harness => checkInherited(harness, factory, loopback),
    },
    {
      name: "listens on Unix sockets of others, which can go on when it has closed",
      contract: inherited,
      check: harness => withPath(path => checkInherited(harness, factory, { path })),
    },
    {
      name: "throws invalid-option for descriptors that cannot be listened on",
      contract: "listen() throws invalid-option for a descriptor that is no TCP or Unix socket that listens.",
      check: harness => checkUnusable(harness, factory),
    },
  ];
}

const inherited =
  "A descriptor of a socket that listens belongs to the relay; other processes that have the socket can go on.";

/** Two processes listen on one socket, and each closes it after one client. */
async function checkInherited(
  harness: Harness,
  factory: RelayFactory,
  where: typeof loopback | { readonly path: string },
): Promise<void> {
  const backend = await harness.backend();
  const server = createServer();
  await new Promise<void>(resolve => server.listen(where, resolve));
  const bound = server.address();
  const values = { backend: backend.address, settings: noTimeouts, factory };
  const args = ["--input-type=module", "--eval", script, JSON.stringify(values)];
  const hosts = [0, 1].map(() => new RelayProcess(args, harness.sizes.limitMs, [descriptorOf(server)]));
  try {
    const expected =
      typeof bound === "object" && bound ? `${bound.address} ${bound.port}` : `unix:${bound} 0`;
    for (const host of hosts) {
      const seen = await host.prints(/listening on (.*)\n/);
      if (seen !== expected) throw new Mismatch(`the address is ${seen}, in place of ${expected}`);
    }
    const address = await closeHere(server);
    for (const _ of hosts) {
      const client = harness.client(address);
      client.end("question");
      const peer = await backend.next();
      await peer.getsEnd("question");
      peer.end("answer");
      await client.getsEnd("answer");
    }
    for (const host of hosts) {
      await host.prints(/ended as finished\n/);
      await host.exits();
    }
  } finally {
    server.close();
    for (const host of hosts) host.stop();
  }
}

async function checkUnusable(harness: Harness, factory: RelayFactory): Promise<void> {
  const values = { settings: noTimeouts, factory };
  const args = ["--input-type=module", "--eval", unusableScript, JSON.stringify(values)];
  const host = new RelayProcess(args, harness.sizes.limitMs);
  try {
    for (const what of ["a file", "a closed descriptor", "its output", "a connected socket"]) {
      const code = await host.prints(new RegExp(`${what}: (.*)\\n`));
      if (code !== "invalid-option") throw new Mismatch(`for ${what}: ${code}`);
    }
    await host.exits();
  } finally {
    host.stop();
  }
}

/** The descriptor of a server, which Node passes on to a process by its number. */
function descriptorOf(server: Server): number {
  return (server as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
}

/** Closes `server` in this process only; resolves with where the others can be connected to. */
async function closeHere(server: Server): Promise<Address> {
  const bound = server.address() as AddressInfo | string;
  // Node removes the file where it is.
  if (typeof bound === "string") await rename(bound, `${bound}.moved`);
  server.close();
  return typeof bound === "string"
    ? unixAddress(`${bound}.moved`)
    : { host: bound.address, port: bound.port };
}

/** Listens on descriptor 3, and serves one client. */
const script = `
  const { backend, settings, factory } = JSON.parse(process.argv[1]);
  const { [factory.name]: make } = await import(factory.module);
  const relay = await make();
  const onClient = client => {
    listener.close();
    setImmediate(() => client.dial([backend], 10_000));
    return {
      connected() {},
      dialFailed: error => console.log(error.message),
      ended: end => console.log("ended as " + end.reason),
    };
  };
  const listener = await relay.listen({ fd: 3 }, { onClient, onError() {} }, settings);
  console.log("listening on " + listener.address.host + " " + listener.address.port);`;

const unusableScript = `
  import { openSync } from "node:fs";
  import { connect, createServer } from "node:net";
  const { settings, factory } = JSON.parse(process.argv[1]);
  const { [factory.name]: make } = await import(factory.module);
  const relay = await make();
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise(resolve => server.once("listening", resolve));
  const socket = connect(server.address().port, "127.0.0.1");
  await new Promise(resolve => socket.once("connect", resolve));
  const fds = {
    "a file": openSync(process.execPath),
    "a closed descriptor": 999,
    "its output": 1,
    "a connected socket": socket._handle.fd,
  };
  for (const [what, fd] of Object.entries(fds))
    await relay.listen({ fd }, { onClient() {}, onError() {} }, settings).then(
      () => console.log(what + ": no error"),
      error => console.log(what + ": " + (error.code ?? error)),
    );
  socket.destroy();
  server.close();`;
