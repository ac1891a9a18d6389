import { connect, createServer, type Socket, type TcpNetConnectOpts } from "node:net";
import {
  type Address,
  type Clock,
  GatewayError,
  type Listener,
  type ListenHandlers,
  type Relay,
  type RelaySettings,
  systemClock,
} from "@gw/interface";
import { Buffers } from "./buffers.js";
import { bind, ClientListener } from "./listener.js";
import { detectReader } from "./self-test.js";
import type { SocketReader } from "./socket-events.js";
import { Ticker } from "./ticker.js";

/** Options of {@link jsRelay}. */
export interface JsRelayOptions {
  /**
   * Starts to connect a socket. All options that it is given are for the socket, which belongs to the relay at once.
   * @default `connect` of node:net
   */
  readonly connect?: ((options: TcpNetConnectOpts) => Socket) | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/**
 * A relay in JavaScript, for every platform.
 *
 * While bytes wait to be taken it holds those that were read with them (up to 64 KiB) and reads no more in that
 * direction; an idle connection holds no memory for bytes. Timeouts are up to a quarter late, and never early. The
 * reset of a socket that is not read from is noticed within 5 seconds.
 */
export function jsRelay(options: JsRelayOptions = {}): Relay {
  return new JsRelay(options, detectReader);
}

/** See {@link jsRelay}. */
export class JsRelay implements Relay {
  readonly name = "js";
  readonly #clock: Clock;
  readonly #connect: (options: TcpNetConnectOpts) => Socket;
  readonly #intakeFor: (staging: Buffers) => Promise<SocketReader>;
  readonly #staging: Buffers = new Buffers();
  readonly #dials: Ticker;
  readonly #extra = { count: 0 };

  /** @param howToRead finds out how sockets are read */
  constructor(options: JsRelayOptions, howToRead: (staging: Buffers) => Promise<SocketReader>) {
    this.#clock = options.clock ?? systemClock;
    this.#connect = options.connect ?? connect;
    this.#intakeFor = howToRead;
    this.#dials = new Ticker(this.#clock);
  }

  async listen(address: Address, handlers: ListenHandlers, settings: RelaySettings): Promise<Listener> {
    const intake = await this.#intakeFor(this.#staging);
    const clients = new ClientListener(handlers, settings, {
      clock: this.#clock,
      connect: this.#connect,
      intake,
      staging: this.#staging,
      dials: this.#dials,
      extra: this.#extra,
    });
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
    const bound = await bind(server, address);
    server.on("error", error => handlers.onError(GatewayError.from(error, "accept")));
    intake.accept(server, socket => clients.accept(socket));
    return { address: bound, close: () => server.close() };
  }
}
