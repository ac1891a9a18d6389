import { connect, isIP, type Socket } from "node:net";
import {
  type Address,
  type Clock,
  type Endpoint,
  formatAddress,
  GatewayError,
  systemClock,
} from "@gw/interface";
import { leadsBack } from "./loop.js";
import { type Lookup, Resolver, systemLookup } from "./resolver.js";

/** Options of {@link createDialer}. */
export interface DialerOptions {
  /** How long one address may take to accept a connection, in milliseconds. @default 5000 */
  readonly connectTimeoutMs?: number | undefined;
  /** The time without traffic after which TCP keepalive probes start, in milliseconds. @default 30000 */
  readonly keepAliveDelayMs?: number | undefined;
  /** Resolves names. @default getaddrinfo */
  readonly lookup?: Lookup | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** What holds where {@link DialerOptions} are silent. */
export const dialerDefaults = { connectTimeoutMs: 5_000, keepAliveDelayMs: 30_000 } as const;

/** Makes connections to endpoints. */
export interface Dialer {
  /**
   * Connects to the first address of `endpoint` that accepts; addresses are tried one at a time, each with
   * the timeout of its own. The socket is paused, unread, allows half-open use, and belongs to the caller.
   *
   * Names are remembered and resolved again in the background. When no remembered address accepts, the name is
   * asked for anew, and if the answer comes soon (250 ms) the addresses not seen before are tried.
   *
   * @param options.signal gives up; its reason is what the dial is rejected with
   * @param options.listening addresses of the proxy itself, which are never dialled
   * @throws {GatewayError} why the last address failed
   */
  dial(endpoint: Endpoint, options?: DialOptions): Promise<Socket>;
  /**
   * The IP addresses of a host, remembered ones included.
   *
   * @throws {GatewayError} `name-not-resolved`, or `timed-out` after `connectTimeoutMs`
   */
  resolve(host: string): Promise<readonly string[]>;
  /** Makes the next dial to each name wait for a new look-up, as after a change that one knows of. */
  forget(): void;
}

/** See {@link Dialer.dial}. */
export interface DialOptions {
  readonly signal?: AbortSignal;
  readonly listening?: readonly Address[];
}

/** A dialer with a memory of its own for names. */
export function createDialer(options: DialerOptions = {}): Dialer {
  return new TcpDialer(options);
}

class TcpDialer implements Dialer {
  readonly #timeoutMs: number;
  readonly #keepAliveDelayMs: number;
  readonly #clock: Clock;
  readonly #resolver: Resolver;

  constructor(options: DialerOptions) {
    this.#timeoutMs = options.connectTimeoutMs ?? dialerDefaults.connectTimeoutMs;
    if (!(this.#timeoutMs > 0))
      throw new GatewayError("invalid-option", `connectTimeoutMs ${this.#timeoutMs} is not positive`);
    this.#keepAliveDelayMs = options.keepAliveDelayMs ?? dialerDefaults.keepAliveDelayMs;
    this.#clock = options.clock ?? systemClock;
    this.#resolver = new Resolver(options.lookup ?? systemLookup, this.#clock);
  }

  async dial(endpoint: Endpoint, options: DialOptions = {}): Promise<Socket> {
    if (isIP(endpoint.host)) return this.#connect(endpoint, options);
    const { host, port } = endpoint;
    const addresses = await this.#wait(this.#resolver.addresses(host), host, options.signal);
    try {
      return await this.#connectToOneOf(host, port, addresses, options);
    } catch (error) {
      if (endsDial(error, options)) throw error;
      const unseen = (await this.#resolver.soon(host)).filter(address => !addresses.includes(address));
      if (unseen.length === 0) throw error;
      return this.#connectToOneOf(host, port, unseen, options);
    }
  }

  resolve(host: string): Promise<readonly string[]> {
    return this.#wait(isIP(host) ? Promise.resolve([host]) : this.#resolver.addresses(host), host, undefined);
  }

  forget(): void {
    this.#resolver.forget();
  }

  async #connectToOneOf(
    name: string,
    port: number,
    addresses: readonly string[],
    options: DialOptions,
  ): Promise<Socket> {
    let failure: unknown;
    for (const host of addresses) {
      try {
        const socket = await this.#connect({ host, port }, options);
        this.#resolver.prefer(name, host);
        return socket;
      } catch (error) {
        failure = error;
        if (endsDial(error, options)) break;
      }
    }
    throw failure;
  }

  /** One address, one attempt. */
  #connect(address: Address, { signal, listening = [] }: DialOptions): Promise<Socket> {
    const doing = `dial ${formatAddress(address)}`;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (leadsBack(address, listening))
        return reject(new GatewayError("self-loop", `${doing}: that is this gateway itself`));
      const socket = connect({
        host: address.host,
        port: address.port,
        allowHalfOpen: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: this.#keepAliveDelayMs,
      });
      socket.pause();
      const stop = this.#giveUp(doing, signal, error => {
        reject(error);
        socket.destroy();
      });
      const onError = (error: unknown): void => {
        stop();
        reject(GatewayError.from(error, doing));
      };
      socket.once("error", onError);
      socket.once("connect", () => {
        stop();
        socket.off("error", onError);
        resolve(socket);
      });
    });
  }

  /** `promise`, or a rejection when it takes too long or `signal` is aborted. */
  async #wait<T>(promise: Promise<T>, host: string, signal: AbortSignal | undefined): Promise<T> {
    let stop = (): void => {};
    const tooLong = new Promise<never>((_, reject) => {
      stop = this.#giveUp(`look up ${host}`, signal, reject);
    });
    return Promise.race([promise, tooLong]).finally(stop);
  }

  /** Calls `onGivenUp` after the timeout or when `signal` is aborted, until the function returned is called. */
  #giveUp(doing: string, signal: AbortSignal | undefined, onGivenUp: (error: unknown) => void): () => void {
    const stop = (): void => {
      cancel();
      signal?.removeEventListener("abort", onAbort);
    };
    const onAbort = (): void => {
      stop();
      onGivenUp(signal?.reason);
    };
    const cancel = this.#clock.after(this.#timeoutMs, () => {
      stop();
      onGivenUp(new GatewayError("timed-out", `${doing}: no answer within ${this.#timeoutMs} ms`));
    });
    signal?.addEventListener("abort", onAbort);
    return stop;
  }
}

/** Whether an attempt failed for a reason that no other address can mend. */
function endsDial(error: unknown, { signal }: DialOptions): boolean {
  return signal?.aborted === true || (error instanceof GatewayError && error.code === "out-of-resources");
}
