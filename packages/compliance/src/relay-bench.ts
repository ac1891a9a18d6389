import { connect } from "node:net";
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { type Address, formatAddress, type Listener, type Relay, type RelaySettings } from "@gw/interface";
import { Backend, BlackHole } from "./backend.js";
import { Peer, peerOptions } from "./peer.js";
import type { RelaySizes } from "./relay-options.js";
import { always, type Breach, Served } from "./served.js";
import { violation } from "./suite.js";
import { Changing, Surprise } from "./waiting.js";

/** A case about relays: whatever fails in it is a violation of its one sentence. */
export interface RelayCase {
  readonly name: string;
  readonly contract: string;
  readonly check: (bench: Bench) => Promise<void>;
  /** False where this machine cannot try it. */
  readonly possible?: boolean;
}

/** No timeouts, no keepalive. */
const noTimeouts: RelaySettings = {
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

/** A listener of the relay, and all clients that it told of. */
export class Door extends Changing {
  readonly served: Served[] = [];
  listener: Listener | undefined;
  /** By the port of the client, those that nobody has asked for yet: ports are used again. */
  readonly #awaited: Map<number, Served> = new Map();

  get address(): Address {
    if (!this.listener) throw new Surprise("listen() has not resolved yet");
    return this.listener.address;
  }

  accepted(served: Served): void {
    this.served.push(served);
    this.#awaited.set(served.client.address.port, served);
    this.changed();
  }

  /** What the relay tells of the client with this local port. */
  async servedOf(port: number): Promise<Served> {
    const served = await this.until(
      () => this.#awaited.get(port),
      () => `onClient() is missing for port ${port} (it was called ${this.served.length} times)`,
    );
    this.#awaited.delete(port);
    return served;
  }
}

/** What a case works with. All that it opens is closed after the case. */
export class Bench {
  readonly relay: Relay;
  readonly sizes: RelaySizes;
  readonly #doors: Door[] = [];
  readonly #clients: Peer[] = [];
  readonly #backends: (Backend | BlackHole)[] = [];
  readonly #breaches: Breach[] = [];

  constructor(relay: Relay, sizes: RelaySizes) {
    this.relay = relay;
    this.sizes = sizes;
  }

  readonly breach: (breach: Breach) => void = breach => {
    this.#breaches.push(breach);
  };

  /** Lets the relay listen. */
  async listen({ address = loopback, settings, greet = () => true }: DoorOptions = {}): Promise<Door> {
    const door = new Door(this.sizes.limitMs);
    this.#doors.push(door);
    const onClient: Parameters<Relay["listen"]>[1]["onClient"] = client => {
      const served = new Served(client, this.sizes.limitMs, this.breach);
      if (!door.listener)
        this.breach({ contract: "Handlers are never called from within listen().", seen: "onClient() was" });
      if (!greet(served)) return undefined;
      door.accepted(served);
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
    const backend = await Backend.start(loopback, this.sizes.limitMs);
    await backend.stop();
    return backend.address;
  }

  /** A client that connects to `address`. */
  client({ host, port }: Address): Peer {
    const client = new Peer(connect({ ...peerOptions, host, port }), "client", this.sizes.limitMs);
    this.#clients.push(client);
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

  /** Closes everything; throws a violation if the relay does not, or has done what it never may. */
  async close(): Promise<void> {
    try {
      for (const door of this.#doors) await this.#closeDoor(door);
    } finally {
      for (const { socket } of this.#clients) socket.destroy();
      for (const backend of this.#backends) await backend.stop();
    }
    await eventLoopTurn();
    const [breach] = this.#breaches;
    if (breach) throw violation(breach.contract, breach.seen);
  }

  async #closeDoor(door: Door): Promise<void> {
    door.listener?.close();
    const open = door.served.filter(({ end }) => !end);
    for (const served of open) served.kill();
    for (const served of open)
      await served
        .until(
          () => served.end,
          () => "ended() is missing after kill()",
        )
        .catch(error => {
          throw violation(always.once, `${error.message} (so far: ${served})`, error);
        });
  }
}
