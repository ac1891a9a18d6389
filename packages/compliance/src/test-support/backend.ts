import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { Worker } from "node:worker_threads";
import type { Address } from "@gw/interface";
import { Peer, peerOptions } from "./peer.js";
import { Waitable } from "./waitable.js";

/** A server that the relay dials. */
export class Backend extends Waitable {
  readonly address: Address;
  /** All connections that were accepted, closed ones included. */
  readonly peers: Peer[] = [];
  /** Called with each accepted connection. */
  onConnection: ((peer: Peer) => void) | undefined;
  readonly #server: Server;
  #returned = 0;

  private constructor(server: Server, limitMs: number) {
    super(limitMs);
    this.#server = server;
    const { address: host, port } = server.address() as AddressInfo;
    this.address = { host, port };
    server.on("connection", socket => {
      const peer = new Peer(socket, "backend", limitMs);
      this.peers.push(peer);
      this.onConnection?.(peer);
      this.changed();
    });
  }

  static async start(address: Address, limitMs: number): Promise<Backend> {
    const server = createServer(peerOptions).listen({ ...address, backlog: 4096 });
    await once(server, "listening");
    return new Backend(server, limitMs);
  }

  /** The next connection, each once, in the order of acceptance. */
  next(): Promise<Peer> {
    const { length } = this.peers;
    return this.until(
      () => (this.#returned < this.peers.length ? this.peers[this.#returned++] : undefined),
      () => `the backend waits for a connection, and has accepted ${length}`,
    );
  }

  /** Closes the listener and all connections. Resolves when the port is free. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const { socket } of this.peers) socket.destroy();
    await closed;
  }
}

/** Blocks its thread for ever, so that nothing is accepted. The listener's backlog has room for two connections. */
const neverAcceptingScript = `
  const { parentPort } = require("node:worker_threads");
  const server = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
    parentPort.postMessage(server.address().port);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;

/** An address that never answers a dial, as a host that is down does not: its backlog is full. */
export class BlackHole {
  readonly address: Address;
  readonly stop: () => Promise<void>;

  private constructor(port: number, stop: () => Promise<void>) {
    this.address = { host: "127.0.0.1", port };
    this.stop = stop;
  }

  static async start(): Promise<BlackHole> {
    const worker = new Worker(neverAcceptingScript, { eval: true, env: {}, execArgv: [] });
    const [port] = await once(worker, "message");
    const fillers = Array.from({ length: 8 }, () =>
      connect({ port, host: "127.0.0.1" }).on("error", () => {}),
    );
    let full = 0;
    await new Promise<void>(resolve => {
      for (const filler of fillers) filler.once("connect", () => ++full === 2 && resolve());
    });
    return new BlackHole(port, async () => {
      for (const filler of fillers) filler.destroy();
      await worker.terminate();
    });
  }
}
