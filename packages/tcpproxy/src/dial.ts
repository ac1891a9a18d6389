import { isIP, type Socket } from "node:net";
import {
  type Address,
  type Clock,
  connectFirst,
  type Endpoint,
  GatewayError,
  systemClock,
  withLocalZone,
} from "@gw/interface";
import { type Lookup, Resolver, systemLookup } from "./resolver.js";
import { LiteralRoute, NamedRoute, type Route } from "./route.js";

/** Options of {@link createDialer}. */
export interface DialerOptions {
  /** How long one address may take to accept a connection, in milliseconds. @default 5000 */
  readonly connectTimeoutMs?: number | undefined;
  /** Resolves names. @default systemLookup */
  readonly lookup?: Lookup | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** What holds where {@link DialerOptions} are silent. */
export const dialerDefaults = { connectTimeoutMs: 5_000 } as const;

/** Resolves the names of endpoints and connects to them. */
export interface Dialer {
  /** How long one address may take to accept a connection, in milliseconds. */
  readonly connectTimeoutMs: number;
  /**
   * The addresses of `endpoint`, best first, for a relay that connects to them. Names are remembered and resolved
   * again in the background. When no remembered address accepts, the name is looked up again, and if the answer comes
   * within 250 ms the addresses not seen before are tried.
   */
  route(endpoint: Endpoint): Route;
  /**
   * Connects to the first address of the route that accepts, as `dialRace` of `@gw/interface` says: the next beside
   * the first after 250 ms, each with a timeout of its own. The socket is paused, unread, allows half-open use, and belongs to the caller.
   *
   * @param options.signal gives up; its reason is what the dial is rejected with
   * @throws {GatewayError} why the last address failed; `self-loop` for an address that is avoided
   */
  dial(endpoint: Endpoint, options?: DialOptions): Promise<Socket>;
  /**
   * Refuses to dial what listens at `addresses`, also by another address of this machine where one of them is a
   * wildcard: routes and dials that begin later fail with `self-loop`. A proxy calls this for the addresses that it
   * listens on; proxies may share a dialer.
   *
   * @returns allows them again
   */
  avoid(addresses: readonly Address[]): () => void;
  /**
   * The IP addresses of a host, remembered ones included.
   *
   * @throws {GatewayError} `name-not-resolved`, or `timed-out` after `connectTimeoutMs`; `unreachable` for an address
   *   whose zone is no interface of this machine
   */
  resolve(host: string): Promise<readonly string[]>;
  /** Makes the next dial to each name wait for a new look-up, as after a change that one knows of. */
  forget(): void;
}

/** See {@link Dialer.dial}. */
export interface DialOptions {
  readonly signal?: AbortSignal | undefined;
}

/** A dialer with a memory of its own for names. */
export function createDialer(options: DialerOptions = {}): Dialer {
  return new TcpDialer(options);
}

class TcpDialer implements Dialer {
  readonly connectTimeoutMs: number;
  readonly #clock: Clock;
  readonly #resolver: Resolver;
  #avoided: readonly Address[] = [];

  constructor(options: DialerOptions) {
    this.connectTimeoutMs = options.connectTimeoutMs ?? dialerDefaults.connectTimeoutMs;
    if (!(this.connectTimeoutMs > 0))
      throw new GatewayError("invalid-option", `connectTimeoutMs ${this.connectTimeoutMs} is not positive`);
    this.#clock = options.clock ?? systemClock;
    this.#resolver = new Resolver(options.lookup ?? systemLookup, this.#clock);
  }

  route(endpoint: Endpoint): Route {
    if (isIP(endpoint.host)) return new LiteralRoute(endpoint, this.#avoided);
    return new NamedRoute(endpoint, this.#avoided, this.#resolver, this.connectTimeoutMs);
  }

  avoid(addresses: readonly Address[]): () => void {
    const added = addresses.map(address => ({ ...address }));
    this.#avoided = [...this.#avoided, ...added];
    return () => {
      this.#avoided = this.#avoided.filter(address => !added.includes(address));
    };
  }

  async dial(endpoint: Endpoint, { signal }: DialOptions = {}): Promise<Socket> {
    const route = this.route(endpoint);
    for (;;) {
      const addresses = await unlessAborted(route.next(), signal);
      if (!addresses) throw route.error;
      try {
        const { socket, address } = await connectFirst(addresses, {
          timeoutMs: this.connectTimeoutMs,
          clock: this.#clock,
          signal,
        });
        route.accepted(address);
        return socket;
      } catch (error) {
        if (signal?.aborted || !(error instanceof GatewayError) || endsRoute(error)) throw error;
        route.failed(error);
      }
    }
  }

  async resolve(host: string): Promise<readonly string[]> {
    if (isIP(host)) return [withLocalZone(host)];
    return this.#resolver.within(host, this.connectTimeoutMs);
  }

  forget(): void {
    this.#resolver.forget();
  }
}

/** Whether a dial failed for a reason that no other address can mend. */
export function endsRoute(error: GatewayError): boolean {
  return error.code === "out-of-resources";
}

/** `value`, or a rejection with the reason of `signal` if that is aborted first. */
async function unlessAborted<T>(value: T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!(value instanceof Promise) || !signal) return value;
  signal.throwIfAborted();
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
    stop = () => signal.removeEventListener("abort", onAbort);
  });
  return Promise.race([value, aborted]).finally(stop);
}
