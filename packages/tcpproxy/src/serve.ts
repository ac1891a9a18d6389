import type { Socket } from "node:net";
import {
  type Address,
  type Clock,
  type Endpoint,
  formatAddress,
  GatewayError,
  type Lease,
  notify,
  type Observer,
  type Pool,
  type Relay,
} from "@gw/interface";
import type { Dialer } from "./dial.js";

/** What one connection needs of its proxy. */
export interface ServeContext {
  readonly connection: number;
  readonly pool: Pool;
  readonly dialer: Dialer;
  readonly relay: Relay;
  readonly listening: () => readonly Address[];
  readonly observer: Observer | undefined;
  readonly clock: Clock;
  /** Called once, when client and backend are closed; never from within `serve`. */
  readonly onEnd: () => void;
}

/** One client, from accept to close. */
export interface Serving {
  /** Begins to serve. */
  start(): void;
  /** Ends the connection at once. Tells whether it was the first to do so. */
  kill(): boolean;
}

/**
 * Serves one client from accept to close: dials endpoint after endpoint until one answers, then relays. Owns
 * the client's socket, which is paused and unread.
 */
export function serve(client: Socket, context: ServeContext): Serving {
  return new ServedClient(client, context);
}

class ServedClient implements Serving {
  readonly #client: Socket;
  readonly #context: ServeContext;
  readonly #since: number;
  #killed = false;
  /** Ends what is under way: the dial, later the relay. */
  #abandon: (error: GatewayError) => void = () => {};

  constructor(client: Socket, context: ServeContext) {
    this.#client = client;
    this.#context = context;
    this.#since = context.clock.now();
    // Until the relay takes over, an error means only that this socket is dead, which the relay will find.
    client.on("error", () => {});
  }

  start(): void {
    const { connection, observer } = this.#context;
    const { remoteAddress: host = "", remotePort: port = 0 } = this.#client;
    notify(observer, "accepted", { connection, client: { host, port } });
    this.#run().catch((error: unknown) => this.#giveUp(GatewayError.from(error, "serve")));
  }

  kill(): boolean {
    if (this.#killed) return false;
    this.#killed = true;
    this.#abandon(new GatewayError("aborted", "the gateway is closing"));
    return true;
  }

  async #run(): Promise<void> {
    const tried: Endpoint[] = [];
    let error = new GatewayError("unreachable", "there are no endpoints");
    while (!this.#killed) {
      const attempt = new AbortController();
      this.#abandon = reason => attempt.abort(reason);
      const lease = this.#context.pool.acquire({ tried, onRevoked: reason => this.#abandon(reason) });
      if (!lease) break;
      try {
        const backend = await this.#dial(lease.endpoint, attempt.signal);
        return this.#relay(lease, backend);
      } catch (cause) {
        error = GatewayError.from(cause, `dial ${formatAddress(lease.endpoint)}`);
        this.#dialFailed(lease, error);
        if (error.code === "out-of-resources") break;
        tried.push(lease.endpoint);
      }
    }
    this.#giveUp(error);
  }

  async #dial(endpoint: Endpoint, signal: AbortSignal): Promise<Socket> {
    const backend = await this.#context.dialer.dial(endpoint, {
      signal,
      listening: this.#context.listening(),
    });
    if (!this.#killed) return backend;
    backend.destroy();
    throw signal.reason;
  }

  #dialFailed(lease: Lease, error: GatewayError): void {
    const { connection, observer } = this.#context;
    lease.failed(error);
    notify(observer, "dialFailed", { connection, endpoint: lease.endpoint, error });
  }

  #relay(lease: Lease, backend: Socket): void {
    const { connection, observer, clock, relay, onEnd } = this.#context;
    const { endpoint } = lease;
    lease.connected();
    notify(observer, "connected", {
      connection,
      endpoint,
      address: { host: backend.remoteAddress ?? "", port: backend.remotePort ?? 0 },
      dialMs: clock.now() - this.#since,
    });
    try {
      const relayed = relay.start(this.#client, backend, end => {
        lease.released();
        notify(observer, "closed", { connection, endpoint, ...end });
        onEnd();
      });
      this.#abandon = () => relayed.kill();
    } catch (error) {
      lease.released();
      backend.destroy();
      this.#giveUp(GatewayError.from(error, `relay ${relay.name}`));
    }
  }

  /**
   * Closes a client that could not be served. The kernel makes a reset of it if the client has sent bytes,
   * since they were not read (RFC 2525, 2.17): what was sent is visibly lost.
   */
  #giveUp(error: GatewayError): void {
    const { connection, observer, onEnd } = this.#context;
    this.#client.once("close", onEnd);
    this.#client.destroy();
    notify(observer, "unserved", { connection, error });
  }
}
