import { connect, type Socket, type TcpNetConnectOpts } from "node:net";
import {
  type Clock,
  type Listener,
  type ListenHandlers,
  type ListenTarget,
  type Relay,
  type RelaySettings,
  systemClock,
} from "@gw/interface";
import { Buffers } from "./buffers.js";
import { openListener, type RelayContext } from "./listener.js";
import { detectReader } from "./self-test.js";
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
 * While bytes are pending it holds those that were read with them (up to 64 KiB) and reads no more in that direction;
 * an idle connection holds no memory for bytes. Timeouts are up to a quarter late, and never early. The reset of a
 * socket that is not read from is noticed within 5 seconds.
 */
export function jsRelay(options: JsRelayOptions = {}): Relay {
  return new JsRelay(options, detectReader);
}

/** See {@link jsRelay}. */
export class JsRelay implements Relay {
  readonly name = "js";
  readonly takesSockets: boolean = process.platform !== "win32";
  readonly #clock: Clock;
  readonly #connect: (options: TcpNetConnectOpts) => Socket;
  readonly #detectReader: typeof detectReader;
  #context: Promise<RelayContext> | undefined;

  /** @param detect finds out how sockets can be read */
  constructor(options: JsRelayOptions, detect: typeof detectReader) {
    this.#clock = options.clock ?? systemClock;
    this.#connect = options.connect ?? connect;
    this.#detectReader = detect;
  }

  async listen(target: ListenTarget, handlers: ListenHandlers, settings: RelaySettings): Promise<Listener> {
    this.#context ??= this.#createContext();
    return openListener(target, handlers, settings, await this.#context);
  }

  async #createContext(): Promise<RelayContext> {
    const clock = this.#clock;
    const startConnecting = this.#connect;
    const buffers = new Buffers();
    const reader = await this.#detectReader(buffers, clock);
    return {
      clock,
      buffers,
      reader,
      dialTicker: new Ticker(clock),
      extraAttempts: { count: 0 },
      connect(address) {
        const socket = startConnecting(reader.dialOptions(address));
        reader.dialled(socket);
        return socket;
      },
    };
  }
}
