import { connect, isIPv6, type Socket } from "node:net";
import { GatewayError } from "../error.js";
import { type Clock, systemClock } from "../time/clock.js";
import { startTimeout } from "../time/timeout.js";
import { type Address, formatAddress } from "./address.js";

/** How several addresses of one host are dialled in parallel (RFC 8305, "Happy Eyeballs"). */
export const dialRace = {
  /** Without an answer for this long, the next address is dialled as well, in milliseconds (RFC 8305, section 8). */
  attemptDelayMs: 250,
  /** How many attempts of one dial run at the same time. */
  attemptsAtOnce: 8,
  /** How many addresses of one dial are used; the rest is ignored. */
  addresses: 16,
  /**
   * How many attempts besides the first of their dial run at the same time, for all dials of a relay together: they need
   * file descriptors that the connection limit does not include. Further ones wait until one has ended.
   */
  extraAttempts: 32,
} as const;

/** `addresses` with the two families alternating, beginning with that of the first (RFC 8305, section 4). */
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
  /** The timeout of each address, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether the socket stays open for writing when the server has ended its output. @default true */
  readonly allowHalfOpen?: boolean | undefined;
  /** Aborts the dial, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/**
 * Connects to the first of `addresses` (IP literals) that accepts, within the bounds of {@link dialRace}; all other
 * sockets are closed. The socket is paused, nothing was read from it, and the caller owns it.
 *
 * @throws {GatewayError} the error of the address that failed last; a local error if an address could not be dialled
 *   because of it; `unreachable` if there is no address
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
  /** Running attempts, and the functions that cancel their timeouts. */
  readonly #running = new Map<Socket, () => void>();
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
    const address = this.#running.size < dialRace.attemptsAtOnce ? this.#addresses[this.#started] : undefined;
    if (address) {
      this.#started += 1;
      this.#start(address);
      if (this.#started < this.#addresses.length)
        this.#cancelDelay = this.#clock.after(dialRace.attemptDelayMs, () => this.#startNext());
    } else if (this.#running.size === 0) {
      this.#end();
      this.#reject(this.#error ?? new GatewayError("unreachable", "there is no address to connect to"));
    }
  }

  #start(address: Address): void {
    const { timeoutMs, allowHalfOpen = true } = this.#options;
    const operation = `dial ${formatAddress(address)}`;
    const { host, port } = address;
    let socket: Socket;
    try {
      socket = connect({ host, port, allowHalfOpen, noDelay: true }).pause();
    } catch (error) {
      // For an invalid port, for example.
      process.nextTick(() => this.#failed(GatewayError.from(error, operation)));
      return;
    }
    const fail = (error: unknown): void => {
      if (!this.#running.has(socket)) return;
      this.#release(socket);
      socket.destroy();
      this.#failed(GatewayError.from(error, operation));
    };
    const cancel = startTimeout(this.#clock, timeoutMs, () =>
      fail(new GatewayError("timed-out", `${operation}: no answer within ${timeoutMs} ms`)),
    );
    this.#running.set(socket, cancel);
    // It stays until the caller adds its own: an error of an abandoned socket must not end the process.
    socket.on("error", fail);
    socket.once("connect", () => {
      if (!this.#running.has(socket)) return;
      // Without a listener, the kernel may choose the destination port as source port.
      if (socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress) {
        fail(new GatewayError("refused", `${operation}: connection refused (it reached itself)`));
        return;
      }
      this.#release(socket);
      this.#end();
      socket.off("error", fail);
      this.#resolve({ socket, address });
    });
  }

  #failed(error: GatewayError): void {
    // An address that was not dialled for lack of file descriptors may work.
    if (!(this.#error?.code === "out-of-resources")) this.#error = error;
    if (error.code === "out-of-resources") this.#started = this.#addresses.length;
    this.#startNext();
  }

  #release(socket: Socket): void {
    this.#running.get(socket)?.();
    this.#running.delete(socket);
  }

  /** Cancels all running attempts. */
  #end(): void {
    this.#cancelDelay();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    for (const socket of [...this.#running.keys()]) {
      this.#release(socket);
      socket.destroy();
    }
  }
}
