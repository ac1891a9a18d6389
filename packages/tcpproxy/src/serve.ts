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
  readonly listening: readonly Address[];
  readonly budgetMs: number;
  readonly observer: Observer | undefined;
  readonly clock: Clock;
  /** Called once, when client and backend are closed; never from within `serve`. */
  readonly onEnd: () => void;
}

/**
 * Serves one client from accept to close: dials endpoint after endpoint until one answers, then relays. Owns
 * the client's socket, which is paused and unread. The function returned ends the connection at once.
 */
export function serve(client: Socket, context: ServeContext): () => void {
  const serving = new Serving(client, context);
  return () => serving.kill();
}

class Serving {
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
    notify(context.observer, "accepted", {
      connection: context.connection,
      client: { host: client.remoteAddress ?? "", port: client.remotePort ?? 0 },
    });
    void this.#run();
  }

  kill(): void {
    this.#killed = true;
    this.#abandon(new GatewayError("aborted", "the gateway is closing"));
  }

  async #run(): Promise<void> {
    const tried: Endpoint[] = [];
    let error = new GatewayError("unreachable", "there are no endpoints");
    while (!this.#killed && !this.#budgetSpent()) {
      const attempt = new AbortController();
      this.#abandon = reason => attempt.abort(reason);
      const lease = this.#context.pool.acquire({ tried, onRevoked: reason => this.#abandon(reason) });
      if (!lease) break;
      try {
        return this.#relay(lease, await this.#dial(lease.endpoint, attempt.signal));
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
    const backend = await this.#context.dialer.dial(endpoint, { signal, listening: this.#context.listening });
    if (!this.#killed) return backend;
    backend.destroy();
    throw signal.reason;
  }

  #dialFailed(lease: Lease, error: GatewayError): void {
    const { connection, observer } = this.#context;
    lease.failed(error);
    notify(observer, "dialFailed", { connection, endpoint: lease.endpoint, error });
  }

  #budgetSpent(): boolean {
    return this.#context.clock.now() - this.#since >= this.#context.budgetMs;
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
    const relayed = relay.start(this.#client, backend, end => {
      lease.released();
      notify(observer, "closed", { connection, endpoint, ...end });
      onEnd();
    });
    this.#abandon = () => relayed.kill();
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
