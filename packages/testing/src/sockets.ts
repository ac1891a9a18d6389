import { createCipheriv, createHash, randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { startProgram } from "./program.js";
import { queue } from "./queue.js";

/** A server that a test started. `await using` resets its connections and closes it with the test. */
export interface Backend extends AsyncDisposable {
  readonly port: number;
  readonly address: { readonly host: string; readonly port: number };
  /** Connections that are open now. */
  readonly sockets: ReadonlySet<Socket>;
  /** How many connections it has accepted. */
  readonly accepted: number;
  /** The oldest accepted connection that was not taken yet, or the next one. */
  next(): Promise<Socket>;
  /** Stops listening and resets all connections. */
  stop(): Promise<void>;
  /** Listens on the same port again. */
  listenAgain(): Promise<void>;
}

/** Starts a server on a free port of 127.0.0.1. Its connections may be half-open, and belong to the test. */
export async function startBackend(onConnection: (socket: Socket) => void = () => {}): Promise<Backend> {
  const sockets = new Set<Socket>();
  const connections = queue<Socket>();
  let accepted = 0;
  const server = createServer({ allowHalfOpen: true }, socket => {
    accepted += 1;
    sockets.add(socket);
    socket.on("error", () => {}).once("close", () => sockets.delete(socket));
    onConnection(socket);
    connections.put(socket);
  });
  await listen(server, 0);
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  };
  return {
    port,
    address: { host: "127.0.0.1", port },
    sockets,
    get accepted() {
      return accepted;
    },
    next: connections.take,
    stop,
    listenAgain: () => listen(server, port),
    [Symbol.asyncDispose]: stop,
  };
}

/** Sends back what it receives, and ends its output when its client does. */
export function echo(socket: Socket): void {
  socket.pipe(socket);
}

/** A connected client that allows half-open use; errors are kept for {@link outcome}. */
export async function connectTo(port: number, host = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ port, host, allowHalfOpen: true, noDelay: true });
  await once(socket, "connect");
  socket.on("error", () => {});
  return socket;
}

/** How a connection ended for one side: what arrived, and `"end"` (a FIN) or the code of the error. */
export interface SocketOutcome {
  readonly received: Buffer;
  readonly end: string;
}

/** Reads until the connection ends, however it ends. Does not end the socket's own output. */
export function outcome(socket: Socket): Promise<SocketOutcome> {
  return new Promise(resolve => {
    const chunks: Buffer[] = [];
    const done = (end: string): void => resolve({ received: Buffer.concat(chunks), end });
    socket.on("data", chunk => chunks.push(chunk));
    socket.once("end", () => done(wasReset(socket) ? "ECONNRESET" : "end"));
    socket.once("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
    socket.once("close", () => done("close"));
    socket.resume();
  });
}

/**
 * libuv may report a reset close behind data as an end of input. While the socket's own output is open, the kernel
 * shows the difference: after a reset there is no peer address.
 */
function wasReset(socket: Socket): boolean {
  const { _handle: handle } = socket as { _handle?: { getpeername(address: object): number } };
  return !socket.writableEnded && handle !== undefined && handle?.getpeername({}) !== 0;
}

/** Each worker of vitest has its own ports, so that none takes a port that another has just found to be free. */
const ownPorts = {
  first: 10_000 + (Number(process.env["VITEST_POOL_ID"] ?? 0) % 4) * 5_500,
  count: 5_500,
};

/** The offset in {@link ownPorts} that is tried next: a process is given no port twice before all others. */
let nextOffset = randomInt(ownPorts.count);

/**
 * A port of 127.0.0.1 on which nothing listened a moment ago. It is below the ephemeral ports, so that it stays free
 * for a while.
 */
export async function freePort(): Promise<number> {
  const port = ownPorts.first + nextOffset;
  nextOffset = (nextOffset + 1) % ownPorts.count;
  const server = createServer();
  try {
    await listen(server, port);
  } catch {
    return freePort();
  }
  server.close();
  await once(server, "close");
  return port;
}

/** Sends `bytes` random bytes, never more than the socket takes, and ends. Resolves with their digest. */
export async function sendRandom(socket: Socket, bytes: number): Promise<string> {
  const zeros = Buffer.alloc(256 * 1024);
  const random = createCipheriv("aes-128-ctr", randomBytes(16), randomBytes(16));
  const digest = createHash("sha1");
  for (let left = bytes; left > 0; ) {
    const chunk = random.update(left < zeros.length ? zeros.subarray(0, left) : zeros);
    digest.update(chunk);
    left -= chunk.length;
    if (!socket.write(chunk)) await once(socket, "drain");
  }
  socket.end();
  return digest.digest("hex");
}

/** Reads to the end. Resolves with the digest of the input. Rejects if the connection fails. */
export async function digestOf(socket: Socket): Promise<{ readonly digest: string; readonly bytes: number }> {
  const digest = createHash("sha1");
  let bytes = 0;
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    digest.update(chunk);
    bytes += chunk.length;
  }
  return { digest: digest.digest("hex"), bytes };
}

/**
 * A listener that accepts nothing and whose backlog is full, so that a dial gets no answer at all, as from a host
 * that is down.
 */
export async function startBlackHole(): Promise<AsyncDisposable & { readonly port: number }> {
  const script = `
    const server = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
      require("node:fs").writeSync(1, "port " + server.address().port + "\\n");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const program = startProgram(process.execPath, ["-e", script]);
  const port = Number((await program.printed(/port (\d+)/))[1]);
  const fillers = Array.from({ length: 8 }, () => connect({ port, host: "127.0.0.1" }).on("error", () => {}));
  // A backlog of 1 has room for two; later dials are not answered.
  let full = 0;
  await new Promise<void>(resolve => {
    for (const filler of fillers) filler.once("connect", () => ++full === 2 && resolve());
  });
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const filler of fillers) filler.destroy();
      await program[Symbol.asyncDispose]();
    },
  };
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen({ port, host: "127.0.0.1", backlog: 4096 });
  await once(server, "listening");
}
