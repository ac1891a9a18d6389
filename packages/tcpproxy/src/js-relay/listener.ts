import type { Server, Socket, TcpNetConnectOpts } from "node:net";
import {
  type Address,
  type ClientEvents,
  type Clock,
  formatAddress,
  GatewayError,
  type ListenHandlers,
  type RelaySettings,
} from "@gw/interface";
import type { Buffers } from "./buffers.js";
import { Connection, type ListenerContext } from "./connection.js";
import type { SocketReader } from "./socket-events.js";
import { Ticker } from "./ticker.js";
import { periodOf } from "./timeouts.js";

/** Also without timeouts: sockets that are not read from are asked whether they have been reset. */
const longestPeriodMs = 5_000;

/** What all listeners of a relay share. */
export interface RelayContext {
  readonly clock: Clock;
  readonly connect: (options: TcpNetConnectOpts) => Socket;
  readonly intake: SocketReader;
  readonly staging: Buffers;
  readonly dials: Ticker;
  readonly extra: { count: number };
}

/** The clients of one listener. */
export class ClientListener implements ListenerContext {
  readonly settings: RelaySettings;
  readonly staging: Buffers;
  readonly dials: Ticker;
  readonly extra: { count: number };
  readonly connections: Ticker;
  readonly periodMs: number;
  readonly #handlers: ListenHandlers;
  readonly #tools: RelayContext;
  #open = 0;
  /** Exists while a client does: a socket that is not read from would let the process end. */
  #hold: NodeJS.Timeout | undefined;

  constructor(handlers: ListenHandlers, settings: RelaySettings, tools: RelayContext) {
    this.#handlers = handlers;
    this.#tools = tools;
    this.settings = settings;
    this.staging = tools.staging;
    this.dials = tools.dials;
    this.extra = tools.extra;
    this.connections = new Ticker(tools.clock);
    this.periodMs = Math.min(longestPeriodMs, periodOf(settings));
  }

  /** @param socket a client's, which is reading */
  accept(socket: Socket): void {
    const { remoteAddress: host, remotePort: port } = socket;
    // Whoever has left already has no address any more, and nobody needs to know.
    if (host === undefined || port === undefined) {
      socket.destroy();
      return;
    }
    this.keepAlive(socket);
    const client = new Connection(socket, { host, port }, this);
    this.#open += 1;
    this.#hold ??= setInterval(() => {}, 2 ** 31 - 1);
    let events: ClientEvents | undefined;
    try {
      events = this.#handlers.onClient(client);
    } finally {
      if (events) client.follow(events);
      else client.abort();
    }
  }

  connect({ host, port }: Address): Socket {
    const { connect, intake } = this.#tools;
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, ...intake.dialOptions });
    intake.dialled(socket);
    return socket;
  }

  keepAlive(socket: Socket): void {
    const { keepAliveDelayMs, keepAliveIntervalMs, keepAliveProbes } = this.settings;
    if (keepAliveDelayMs === 0) return;
    const set: SetKeepAlive = socket.setKeepAlive;
    set.call(
      socket,
      true,
      seconds(keepAliveDelayMs),
      seconds(keepAliveIntervalMs),
      keepAliveProbes || undefined,
    );
  }

  onEnded(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    clearInterval(this.#hold);
    this.#hold = undefined;
  }
}

/** Interval and probes are for Node 24.19 and later; others have 1 s and 10 built in, and take no notice. */
type SetKeepAlive = (
  enable: boolean,
  delayMs: number | undefined,
  intervalMs: number | undefined,
  probes: number | undefined,
) => void;

/** The system counts in whole seconds, and Node would round down. */
function seconds(ms: number): number | undefined {
  return ms === 0 ? undefined : Math.ceil(ms / 1_000) * 1_000;
}

/** Connections that wait to be accepted; the kernel takes less if it allows less (`somaxconn`). */
const backlog = 4096;

/**
 * Lets `server` listen; resolves with where.
 *
 * @throws {GatewayError} `address-in-use`, `not-permitted`, …
 */
export function bind(server: Server, { host, port }: Address): Promise<Address> {
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
