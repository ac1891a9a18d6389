import { existsSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { type Address, formatAddress, type Relay, type RelaySettings } from "@gw/interface";
import type { RelaySizes } from "../relay/options.js";
import { violation } from "../suite.js";
import { always, type Breach, Door, Served } from "./accepted-client.js";
import { Backend, BlackHole } from "./backend.js";
import { Peer, peerOptions } from "./peer.js";
import { Surprise } from "./waitable.js";

/** A case about relays: whatever fails in it is a violation of its one sentence. */
export interface RelayCase {
  readonly name: string;
  readonly contract: string;
  readonly check: (bench: Bench) => Promise<void>;
  /** False where this machine cannot try it. */
  readonly possible?: boolean;
}

/** No timeouts, no keepalive. */
export const noTimeouts: RelaySettings = {
  keepAliveDelayMs: 0,
  keepAliveIntervalMs: 0,
  keepAliveProbes: 0,
  userTimeoutMs: 0,
  idleTimeoutMs: 0,
  halfCloseTimeoutMs: 0,
  writeTimeoutMs: 0,
};

export const loopback = { host: "127.0.0.1", port: 0 } as const;

/** Options of {@link Bench.listen}. */
export interface DoorOptions {
  /** @default a free port of 127.0.0.1 */
  readonly address?: Address;
  /** What is not said is 0. */
  readonly settings?: Partial<RelaySettings>;
  /** Called within onClient; refuses the client where it returns false. */
  readonly greet?: (served: Served) => boolean;
}

/** A client's connection, and what the relay tells of it. */
export interface Accepted {
  readonly client: Peer;
  readonly served: Served;
}

/** A client, the backend's side of its connection, and what the relay tells of it. */
export interface Connection extends Accepted {
  readonly server: Peer;
}

/** What a case works with. All that it opens is closed after the case. */
export class Bench {
  readonly relay: Relay;
  readonly sizes: RelaySizes;
  readonly #doors: Door[] = [];
  readonly #clients: Set<Peer> = new Set();
  readonly #backends: (Backend | BlackHole)[] = [];
  readonly #breaches: Breach[] = [];
  #closed = false;

  constructor(relay: Relay, sizes: RelaySizes) {
    this.relay = relay;
    this.sizes = sizes;
  }

  readonly breach: (breach: Breach) => void = breach => {
    this.#breaches.push(breach);
  };

  /** Whether the relay has done what it never may; `close` tells what. */
  get isBreached(): boolean {
    return this.#breaches.length > 0;
  }

  /** Lets the relay listen. */
  async listen({ address = loopback, settings, greet = () => true }: DoorOptions = {}): Promise<Door> {
    const door = new Door(this.sizes.limitMs);
    this.#doors.push(door);
    const onClient: Parameters<Relay["listen"]>[1]["onClient"] = client => {
      const served = new Served(client, this.sizes.limitMs, this.breach);
      if (!door.listener)
        this.breach({ contract: "Handlers are never called from within listen().", seen: "onClient() was" });
      // Late ones were accepted before the listener was closed.
      if (this.#closed || !greet(served)) return undefined;
      door.accepted(served);
      served.onEnd = () => door.ended(served);
      return served;
    };
    const handlers = { onClient, onError: () => {} };
    door.listener = await this.relay.listen(address, handlers, { ...noTimeouts, ...settings });
    return door;
  }

  async backend(address: Address = loopback): Promise<Backend> {
    const backend = await Backend.start(address, this.sizes.limitMs);
    this.#backends.push(backend);
    return backend;
  }

  /** An address where dials get no answer. */
  async blackHole(): Promise<Address> {
    const hole = await BlackHole.start();
    this.#backends.push(hole);
    return hole.address;
  }

  /** An address where dials are refused. */
  async nobody(): Promise<Address> {
    // Below the ports that systems give away, so that nobody else gets it meanwhile.
    const port = 10_000 + Math.floor(22_000 * Math.random());
    try {
      const backend = await Backend.start({ ...loopback, port }, this.sizes.limitMs);
      await backend.stop();
      return backend.address;
    } catch {
      return this.nobody();
    }
  }

  /** A client that connects to `address`. */
  client({ host, port }: Address): Peer {
    const client = new Peer(connect({ ...peerOptions, host, port }), "client", this.sizes.limitMs);
    this.#clients.add(client);
    client.socket.once("close", () => this.#clients.delete(client));
    return client;
  }

  /** A client that is connected to `door`, and accepted by the relay. */
  async accepted(door: Door): Promise<Accepted> {
    const client = this.client(door.address);
    if (!(await client.settled()))
      throw new Surprise(`${client} when it connected to ${formatAddress(door.address)}`);
    return { client, served: await door.servedOf(client.port) };
  }

  /** A client that the relay has connected to `backend`. Not to be called again before it has resolved. */
  async connected(door: Door, backend: Backend): Promise<Connection> {
    const { client, served } = await this.accepted(door);
    served.dial(backend.address);
    const [server] = await Promise.all([backend.next(), served.isConnected()]);
    return { client, served, server };
  }

  /** The same, through a listener and to a backend of its own. */
  async connection(settings: Partial<RelaySettings> = {}): Promise<Connection> {
    return this.connected(await this.listen({ settings }), await this.backend());
  }

  /** Gives the relay as much time as twenty bytes need, one after the other, through another connection. */
  async lull(): Promise<void> {
    const { client, server } = await this.connection();
    for (let count = 0; count < 20; count++) await client.pings(server);
  }

  /** Closes everything; throws a violation if the relay does not, or has done what it never may. */
  async close(): Promise<void> {
    this.#closed = true;
    try {
      await Promise.all(this.#doors.map(door => closeDoor(door)));
    } finally {
      for (const { socket } of this.#clients) socket.destroy();
      for (const backend of this.#backends) await backend.stop();
    }
    await eventLoopTurn();
    const [breach] = this.#breaches;
    if (breach) throw violation(breach.contract, breach.seen);
  }
}

async function closeDoor(door: Door): Promise<void> {
  door.listener?.close();
  const { open } = door;
  for (const served of open) served.kill();
  const ended = open.map(served =>
    served.until(
      () => served.end,
      () => `ended() is missing after kill() (so far: ${served})`,
    ),
  );
  await Promise.all(ended).catch(error => {
    throw violation(always.once, error.message, error);
  });
}

const folder = "/proc/self/fd";

/** Whether descriptors can be counted here. */
export const descriptorsAreKnown: boolean = existsSync(folder);

/** How many descriptors this process has open. */
export function openDescriptors(): number {
  return readdirSync(folder).length;
}

/** Demands that no more than `count` descriptors are open, now or within `limitMs`. */
export async function descriptorsFallTo(count: number, limitMs: number): Promise<void> {
  const limit = performance.now() + limitMs;
  while (openDescriptors() > count) {
    if (performance.now() > limit)
      throw new Surprise(`${openDescriptors()} descriptors are open, where it was ${count} before`);
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}
