import { createServer, type Server, type Socket } from "node:net";
import {
  type Address,
  type ClientEvents,
  type Clock,
  formatAddress,
  GatewayError,
  type Listener,
  type ListenHandlers,
  type RelaySettings,
} from "@gw/interface";
import type { Buffers } from "./buffers.js";
import { Connection, type ConnectionContext } from "./connection.js";
import type { DialContext } from "./dial.js";
import { KeepAlive } from "./keep-alive.js";
import type { SocketReader } from "./socket-events.js";
import { Ticker } from "./ticker.js";
import { tickPeriodMs } from "./timeouts.js";

/** What all listeners of a relay share. */
export interface RelayContext extends DialContext {
  readonly clock: Clock;
  readonly buffers: Buffers;
  readonly reader: SocketReader;
}

/** See {@link Relay.listen}. */
export async function openListener(
  address: Address,
  handlers: ListenHandlers,
  settings: RelaySettings,
  relay: RelayContext,
): Promise<Listener> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  const bound = await bind(server, address);
  const clients = new Clients(handlers, settings, relay);
  server.on("error", error => handlers.onError(GatewayError.from(error, "accept")));
  relay.reader.accept(server, socket => clients.accept(socket));
  return { address: bound, close: () => server.close() };
}

/** Connections that wait to be accepted; the kernel takes less if it allows less (`somaxconn`). */
const backlog = 4096;

/**
 * Binds `server` to an address and listens; resolves with the address that it got.
 *
 * @throws {GatewayError} `address-in-use`, `not-permitted`, …
 */
function bind(server: Server, { host, port }: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    const onError = (error: unknown): void => {
      reject(GatewayError.from(error, `listen on ${formatAddress({ host, port })}`));
    };
    server.once("error", onError);
    server.listen({ host, port, backlog }, () => {
      server.off("error", onError);
      const bound = server.address();
      resolve(
        bound && typeof bound === "object" ? { host: bound.address, port: bound.port } : { host, port },
      );
    });
  });
}

/** Sockets that are not read from are checked for resets this often, also without timeouts. */
const longestTickMs = 5_000;

/** The clients of one listener. */
class Clients {
  readonly #handlers: ListenHandlers;
  readonly #context: ConnectionContext;
  #open = 0;
  /** Keeps the process alive while a client is open: a socket that is not read from does not. */
  #keepAlive: NodeJS.Timeout | undefined;

  constructor(handlers: ListenHandlers, settings: RelaySettings, relay: RelayContext) {
    this.#handlers = handlers;
    this.#context = {
      settings,
      dials: relay,
      buffers: relay.buffers,
      keepAlive: new KeepAlive(settings, relay.clock),
      ticker: new Ticker(relay.clock),
      stallTicker: new Ticker(relay.clock),
      reads: { count: 0 },
      tickMs: Math.min(longestTickMs, tickPeriodMs(settings)),
      onEnded: () => this.#ended(),
    };
  }

  /** @param socket a client's, which is reading */
  accept(socket: Socket): void {
    const connection = new Connection(socket, this.#context);
    this.#open += 1;
    this.#keepAlive ??= setInterval(() => {}, 2 ** 31 - 1);
    let events: ClientEvents | undefined;
    try {
      events = this.#handlers.onClient(connection);
    } finally {
      if (events) connection.start(events);
      else connection.abort();
    }
  }

  #ended(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    clearInterval(this.#keepAlive);
    this.#keepAlive = undefined;
  }
}
