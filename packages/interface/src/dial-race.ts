import { connect, isIPv6, type Socket } from "node:net";
import { type Address, formatAddress } from "./address.js";
import { type Clock, systemClock } from "./clock.js";
import { GatewayError } from "./error.js";
import { startTimeout } from "./timeout.js";

/** How the addresses of one host are tried beside each other (RFC 8305, "Happy Eyeballs"). */
export const dialRace = {
  /** After this time without an answer the next address is dialled too, in milliseconds (RFC 8305, section 8). */
  attemptDelayMs: 250,
  /** Attempts of one dial that are under way at once. */
  attemptsAtOnce: 8,
  /** Addresses of one dial; what is behind them is left out. */
  addresses: 16,
  /**
   * Attempts beside the first of their dial, of all dials of a relay together: they take descriptors that were not
   * counted for connections. Where there are as many, the next waits until one is over.
   */
  extraAttempts: 32,
} as const;

/** `addresses` with the two families by turns, beginning with that of the first (RFC 8305, section 4). */
export function interleaveFamilies(addresses: readonly string[]): readonly string[] {
  const [first] = addresses;
  if (first === undefined) return addresses;
  const family = isIPv6(first);
  const same = addresses.filter(address => isIPv6(address) === family);
  const other = addresses.filter(address => isIPv6(address) !== family);
  if (other.length === 0) return addresses;
  const rest = Math.max(same.length, other.length);
  return Array.from({ length: rest }, (_, index) => [same[index], other[index]])
    .flat()
    .filter(address => address !== undefined);
}

/** See {@link connectFirst}. */
export interface ConnectOptions {
  /** How long each address may take to accept the connection, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether the socket stays open for writing when the server has ended its output. @default true */
  readonly allowHalfOpen?: boolean | undefined;
  /** Gives up; its reason is what the promise is rejected with. */
  readonly signal?: AbortSignal | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/**
 * Connects to the first of `addresses` (IP literals) that accepts, as {@link dialRace} says; the others are closed. The
 * socket is paused, unread, and belongs to the caller.
 *
 * @throws {GatewayError} why the address failed that did so last; an error of this machine if that kept an address
 *   from being dialled; `unreachable` where there is no address
 */
export function connectFirst(
  addresses: readonly Address[],
  options: ConnectOptions,
): Promise<{ readonly socket: Socket; readonly address: Address }> {
  return new Promise((resolve, reject) => {
    new Race(addresses.slice(0, dialRace.addresses), options, resolve, reject).begin();
  });
}

class Race {
  readonly #addresses: readonly Address[];
  readonly #options: ConnectOptions;
  readonly #clock: Clock;
  readonly #resolve: (winner: { socket: Socket; address: Address }) => void;
  readonly #reject: (error: unknown) => void;
  /** Attempts under way, and what frees each. */
  readonly #live = new Map<Socket, () => void>();
  #started = 0;
  #cancelDelay = (): void => {};
  #error: GatewayError | undefined;

  constructor(
    addresses: readonly Address[],
    options: ConnectOptions,
    resolve: (winner: { socket: Socket; address: Address }) => void,
    reject: (error: unknown) => void,
  ) {
    this.#addresses = addresses;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  begin(): void {
    const { signal } = this.#options;
    if (signal?.aborted) {
      this.#reject(signal.reason);
      return;
    }
    signal?.addEventListener("abort", this.#onAbort);
    this.#startNext();
  }

  readonly #onAbort = (): void => {
    this.#end();
    this.#reject(this.#options.signal?.reason);
  };

  #startNext(): void {
    this.#cancelDelay();
    const address = this.#live.size < dialRace.attemptsAtOnce ? this.#addresses[this.#started] : undefined;
    if (address) {
      this.#started += 1;
      this.#start(address);
      if (this.#started < this.#addresses.length)
        this.#cancelDelay = this.#clock.after(dialRace.attemptDelayMs, () => this.#startNext());
    } else if (this.#live.size === 0) {
      this.#end();
      this.#reject(this.#error ?? new GatewayError("unreachable", "there is no address to connect to"));
    }
  }

  #start(address: Address): void {
    const { timeoutMs, allowHalfOpen = true } = this.#options;
    const doing = `dial ${formatAddress(address)}`;
    const { host, port } = address;
    let socket: Socket;
    try {
      socket = connect({ host, port, allowHalfOpen, noDelay: true }).pause();
    } catch (error) {
      // As for a port that is none.
      process.nextTick(() => this.#failed(GatewayError.from(error, doing)));
      return;
    }
    const fail = (error: unknown): void => {
      if (!this.#live.has(socket)) return;
      this.#free(socket);
      socket.destroy();
      this.#failed(GatewayError.from(error, doing));
    };
    const cancel = startTimeout(this.#clock, timeoutMs, () =>
      fail(new GatewayError("timed-out", `${doing}: no answer within ${timeoutMs} ms`)),
    );
    this.#live.set(socket, cancel);
    // It stays until the caller's own: an error of a socket that was given up must not end the process.
    socket.on("error", fail);
    socket.once("connect", () => {
      if (!this.#live.has(socket)) return;
      // The kernel gave it the port that it was to connect to, since nobody listened there.
      if (socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress) {
        fail(new GatewayError("refused", `${doing}: connection refused (it reached itself)`));
        return;
      }
      this.#free(socket);
      this.#end();
      socket.off("error", fail);
      this.#resolve({ socket, address });
    });
  }

  #failed(error: GatewayError): void {
    // What was not tried for want of descriptors may work.
    if (!(this.#error?.code === "out-of-resources")) this.#error = error;
    if (error.code === "out-of-resources") this.#started = this.#addresses.length;
    this.#startNext();
  }

  #free(socket: Socket): void {
    this.#live.get(socket)?.();
    this.#live.delete(socket);
  }

  /** Gives up what is under way. */
  #end(): void {
    this.#cancelDelay();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    for (const socket of [...this.#live.keys()]) {
      this.#free(socket);
      socket.destroy();
    }
  }
}
