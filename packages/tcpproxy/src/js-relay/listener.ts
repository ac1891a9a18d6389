import { createServer, type Server, type Socket } from "node:net";
import {
  type Address,
  type ClientEvents,
  type Clock,
  formatListenTarget,
  GatewayError,
  isUnixAddress,
  type Listener,
  type ListenHandlers,
  type ListenTarget,
  type RelaySettings,
  unixAddress,
} from "@gw/interface";
import type { Buffers } from "./buffers.js";
import { Connection, type ConnectionContext } from "./connection.js";
import type { DialContext } from "./dial.js";
import { descriptorError, type ListeningSocket, listeningSocket } from "./inherited-socket.js";
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
  target: ListenTarget,
  handlers: ListenHandlers,
  settings: RelaySettings,
  relay: RelayContext,
): Promise<Listener> {
  const inherited = "fd" in target ? listeningSocket(target.fd) : undefined;
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  await bind(server, target);
  const bound = boundAddress(server, inherited);
  const clients = new Clients(handlers, settings, relay, isUnixAddress(bound));
  server.on("error", error => handlers.onError(GatewayError.from(error, "accept")));
  relay.reader.accept(server, socket => clients.accept(socket));
  return { address: bound, close: () => server.close() };
}

/** Connections that wait to be accepted; the kernel takes less if it allows less (`somaxconn`). */
const backlog = 4096;

/**
 * Binds `server` and listens.
 *
 * @throws {GatewayError} `address-in-use`, `not-permitted`, …
 */
function bind(server: Server, target: ListenTarget): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: unknown): void => {
      const isOfOtherKind = "fd" in target && (error as NodeJS.ErrnoException).code === "EINVAL";
      if (isOfOtherKind) reject(descriptorError(target.fd, "it is not a TCP or Unix socket that listens"));
      else reject(GatewayError.from(error, `listen on ${formatListenTarget(target)}`));
    };
    server.once("error", onError);
    server.listen({ ...target, backlog }, () => {
      server.off("error", onError);
      resolve();
    });
  });
}

/** Node knows no path of a Unix socket that it did not create. */
function boundAddress(server: Server, inherited: ListeningSocket | undefined): Address {
  const bound = server.address();
  if (bound && typeof bound === "object") return { host: bound.address, port: bound.port };
  return unixAddress(bound ?? inherited?.path);
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

  constructor(handlers: ListenHandlers, settings: RelaySettings, relay: RelayContext, isUnix: boolean) {
    this.#handlers = handlers;
    this.#context = {
      settings,
      isUnix,
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
