import { createServer, type Server, type Socket } from "node:net";
import {
  type Address,
  type Clock,
  formatAddress,
  GatewayError,
  notify,
  type Observer,
  type Pool,
  type Relay,
  systemClock,
} from "@gw/interface";
import { connectionLimit } from "./descriptors.js";
import { createDialer, type Dialer } from "./dial.js";
import { type Serving, serve } from "./serve.js";
import { streamRelay } from "./stream-relay.js";

/** Options of {@link createProxy}. */
export interface ProxyOptions {
  /** Where to accept clients. Port 0 takes a free port. */
  readonly listen: readonly Address[];
  /** Says where each connection goes; see {@link inOrder} and `@gw/selector`. */
  readonly pool: Pool;
  /** @default createDialer() */
  readonly dialer?: Dialer | undefined;
  /** @default streamRelay() */
  readonly relay?: Relay | undefined;
  /**
   * More clients than this are refused with a reset. Never more than the file descriptors allow.
   * @default what `ulimit -n` allows
   */
  readonly maxConnections?: number | undefined;
  /** After this time without traffic TCP keepalive probes start towards clients, in milliseconds. @default 30000 */
  readonly keepAliveDelayMs?: number | undefined;
  /** Sees what happens to connections. */
  readonly observer?: Observer | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** What holds where {@link ProxyOptions} are silent. */
export const proxyDefaults = { keepAliveDelayMs: 30_000 } as const;

/** A TCP proxy. */
export interface TcpProxy {
  /**
   * Starts to accept clients; resolves with the addresses that are listened on, in the order of the options.
   *
   * @throws {GatewayError} `address-in-use`, `not-permitted`, … ; then nothing is listened on. `invalid-option`
   *   when it was called before
   */
  listen(): Promise<readonly Address[]>;
  /** The addresses that are listened on; empty before and after. */
  readonly addresses: readonly Address[];
  /** Connections that are open or being made. */
  readonly connections: number;
  /** At how many connections clients are refused. */
  readonly maxConnections: number;
  /**
   * Stops accepting, waits up to `graceMs` for connections to end by themselves, then resets the rest.
   * Resolves when all are closed, with the number of those that were cut. Called again, a shorter grace
   * overrides the one before.
   */
  close(options: { readonly graceMs: number }): Promise<{ readonly cut: number }>;
}

/** A proxy that is not listening yet. */
export function createProxy(options: ProxyOptions): TcpProxy {
  return new ListeningProxy(options);
}

class ListeningProxy implements TcpProxy {
  readonly maxConnections: number;
  readonly #options: ProxyOptions;
  readonly #dialer: Dialer;
  readonly #relay: Relay;
  readonly #clock: Clock;
  readonly #servers: readonly Server[];
  readonly #open = new Map<number, Serving>();
  readonly #whenIdle: (() => void)[] = [];
  #addresses: readonly Address[] = [];
  #started = false;
  #accepted = 0;
  #cut = 0;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#dialer = options.dialer ?? createDialer();
    this.#relay = options.relay ?? streamRelay();
    this.#clock = options.clock ?? systemClock;
    const wanted = options.maxConnections ?? Infinity;
    if (!(wanted >= 1))
      throw new GatewayError("invalid-option", `maxConnections ${wanted} is not at least 1`);
    this.maxConnections = Math.min(wanted, connectionLimit());
    this.#servers = options.listen.map(() => this.#createServer());
  }

  get addresses(): readonly Address[] {
    return this.#addresses;
  }

  get connections(): number {
    return this.#open.size;
  }

  async listen(): Promise<readonly Address[]> {
    if (this.#started) throw new GatewayError("invalid-option", "a proxy can be told to listen only once");
    this.#started = true;
    try {
      for (const [index, server] of this.#servers.entries()) {
        const bound = await listenOn(server, this.#options.listen[index] as Address);
        this.#addresses = [...this.#addresses, bound];
      }
    } catch (error) {
      await this.close({ graceMs: 0 });
      throw error;
    }
    for (const server of this.#servers)
      server.on("error", error => {
        notify(this.#options.observer, "acceptFailed", { error: GatewayError.from(error, "accept") });
      });
    return this.#addresses;
  }

  async close({ graceMs }: { readonly graceMs: number }): Promise<{ readonly cut: number }> {
    for (const server of this.#servers) server.close();
    this.#addresses = [];
    const cancel = this.#clock.after(graceMs, () => this.#cutAll());
    await this.#idle();
    cancel();
    return { cut: this.#cut };
  }

  #createServer(): Server {
    const server = createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: this.#options.keepAliveDelayMs ?? proxyDefaults.keepAliveDelayMs,
    });
    return server.on("connection", client => this.#accept(client));
  }

  #accept(client: Socket): void {
    if (this.#open.size >= this.maxConnections) {
      client.resetAndDestroy();
      notify(this.#options.observer, "refused", { limit: this.maxConnections });
      return;
    }
    this.#accepted += 1;
    const connection = this.#accepted;
    const serving = serve(client, {
      connection,
      pool: this.#options.pool,
      dialer: this.#dialer,
      relay: this.#relay,
      listening: () => this.#addresses,
      observer: this.#options.observer,
      clock: this.#clock,
      onEnd: () => this.#ended(connection),
    });
    this.#open.set(connection, serving);
    serving.start();
  }

  /** Resolves when no connection is open. */
  #idle(): Promise<void> {
    return new Promise(resolve => {
      if (this.#open.size === 0) resolve();
      else this.#whenIdle.push(resolve);
    });
  }

  #ended(connection: number): void {
    this.#open.delete(connection);
    if (this.#open.size === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #cutAll(): void {
    for (const serving of [...this.#open.values()]) if (serving.kill()) this.#cut += 1;
  }
}

/** Binds `server`, and tells where to. */
function listenOn(server: Server, address: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    const onError = (error: unknown): void => {
      reject(GatewayError.from(error, `listen on ${formatAddress(address)}`));
    };
    server.once("error", onError);
    server.listen({ host: address.host, port: address.port, backlog: 4096 }, () => {
      server.off("error", onError);
      const bound = server.address();
      resolve(bound && typeof bound === "object" ? { host: bound.address, port: bound.port } : address);
    });
  });
}
