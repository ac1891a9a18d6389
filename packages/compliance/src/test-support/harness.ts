import { existsSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import {
  type Address,
  type DialStock,
  formatAddress,
  isUnixAddress,
  type ListenTarget,
  type Relay,
  type RelaySettings,
} from "@gw/interface";
import type { RelaySizes } from "../relay/options.js";
import { violation } from "../suite.js";
import { AcceptedClient, invariants, TestListener, type Violation } from "./accepted-client.js";
import { Backend, BlackHole } from "./backend.js";
import { Peer, peerOptions } from "./peer.js";
import { Mismatch } from "./waitable.js";

/** A case about relays. Whatever fails in `check` is a violation of `contract`, one sentence. */
export interface RelayCase {
  readonly name: string;
  readonly contract: string;
  readonly check: (harness: Harness) => Promise<void>;
  /** False where this machine cannot run the case. */
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

/** Options of {@link Harness.listen}. */
export interface ListenOptions {
  /** @default a free port of 127.0.0.1 */
  readonly address?: ListenTarget;
  /** @default 0 for each that is left out */
  readonly settings?: Partial<RelaySettings>;
  /** @default none */
  readonly stock?: DialStock;
  /** Called within onClient; refuses the client where it returns false. */
  readonly onClient?: (accepted: AcceptedClient) => boolean;
}

/** A client, and what the relay reports about it. */
export interface ClientConnection {
  readonly client: Peer;
  readonly accepted: AcceptedClient;
}

/** A client, the backend's end of its connection, and what the relay reports about it. */
export interface Connection extends ClientConnection {
  readonly server: Peer;
}

/** What a case works with. All that it opens is closed after the case. */
export class Harness {
  readonly relay: Relay;
  readonly sizes: RelaySizes;
  readonly #listeners: TestListener[] = [];
  readonly #clients: Set<Peer> = new Set();
  readonly #backends: (Backend | BlackHole)[] = [];
  readonly #violations: Violation[] = [];
  #closed = false;

  constructor(relay: Relay, sizes: RelaySizes) {
    this.relay = relay;
    this.sizes = sizes;
  }

  readonly onViolation: (violation: Violation) => void = violation => {
    this.#violations.push(violation);
  };

  /** Whether the relay has broken an invariant; `close` throws the violation. */
  get hasViolation(): boolean {
    return this.#violations.length > 0;
  }

  /** Makes the relay listen. */
  async listen({
    address = loopback,
    settings,
    stock,
    onClient: accepts = () => true,
  }: ListenOptions = {}): Promise<TestListener> {
    const listener = new TestListener(this.sizes.limitMs);
    this.#listeners.push(listener);
    const onClient: Parameters<Relay["listen"]>[1]["onClient"] = (client, dial) => {
      const accepted = new AcceptedClient(client, dial, this.sizes.limitMs, this.onViolation);
      if (!listener.bound)
        this.onViolation({
          contract: "Handlers are never called from within listen().",
          seen: "onClient() was",
        });
      // Late ones were accepted before the listener was closed.
      if (this.#closed || !accepts(accepted)) return undefined;
      listener.add(accepted);
      accepted.onEnd = () => listener.remove(accepted);
      return accepted;
    };
    const handlers = { stock, onClient, onError: () => {} };
    listener.bound = await this.relay.listen(address, handlers, { ...noTimeouts, ...settings });
    return listener;
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
  async refusingAddress(): Promise<Address> {
    // Below the ephemeral ports, so that no other program is given this one in the meantime.
    const port = 10_000 + Math.floor(22_000 * Math.random());
    try {
      const backend = await Backend.start({ ...loopback, port }, this.sizes.limitMs);
      await backend.stop();
      return backend.address;
    } catch {
      return this.refusingAddress();
    }
  }

  /** A client that connects to `address`. */
  client(address: Address): Peer {
    const where = isUnixAddress(address) ? { path: address.host.replace("unix:", "") } : address;
    const client = new Peer(connect({ ...peerOptions, ...where }), "client", this.sizes.limitMs);
    this.#clients.add(client);
    client.socket.once("close", () => this.#clients.delete(client));
    return client;
  }

  /** A client that is connected to `listener`, and accepted by the relay. */
  async accept(listener: TestListener): Promise<ClientConnection> {
    const client = this.client(listener.address);
    if (!(await client.connects()))
      throw new Mismatch(`${client} when it connected to ${formatAddress(listener.address)}`);
    return { client, accepted: await listener.acceptedFrom(client.port) };
  }

  /** A client that the relay has connected to `backend`. Not to be called again before it has resolved. */
  async connect(listener: TestListener, backend: Backend): Promise<Connection> {
    const { client, accepted } = await this.accept(listener);
    accepted.dial(backend.address);
    const [server] = await Promise.all([backend.next(), accepted.isConnected()]);
    return { client, accepted, server };
  }

  /** As {@link connect}, with a new listener and a new backend. */
  async connection(settings: Partial<RelaySettings> = {}): Promise<Connection> {
    return this.connect(await this.listen({ settings }), await this.backend());
  }

  /** Waits for twenty round trips through another connection, in which the relay can do what it has pending. */
  async roundTrips(): Promise<void> {
    const { client, server } = await this.connection();
    for (let count = 0; count < 20; count++) await client.pings(server);
  }

  /** Closes everything. Throws a violation if the relay does not close, or if it has broken an invariant. */
  async close(): Promise<void> {
    this.#closed = true;
    try {
      await Promise.all(this.#listeners.map(listener => closeListener(listener)));
    } finally {
      for (const { socket } of this.#clients) socket.destroy();
      for (const backend of this.#backends) await backend.stop();
    }
    await eventLoopTurn();
    const [first] = this.#violations;
    if (first) throw violation(first.contract, first.seen);
  }
}

async function closeListener(listener: TestListener): Promise<void> {
  listener.bound?.close();
  const { open } = listener;
  for (const accepted of open) accepted.abort();
  const ended = open.map(accepted =>
    accepted.until(
      () => accepted.end,
      () => `ended() is missing after abort() (so far: ${accepted})`,
    ),
  );
  await Promise.all(ended).catch(error => {
    throw violation(invariants.once, error.message, error);
  });
}

const folder = "/proc/self/fd";

/** Whether this system lets a process count its descriptors. */
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
      throw new Mismatch(`${openDescriptors()} descriptors are open, ${count} were before`);
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}
