import { isIP, type Socket } from "node:net";
import {
  type Address,
  type Clock,
  connectFirst,
  createListeners,
  type Endpoint,
  GatewayError,
  systemClock,
  withLocalZone,
} from "@gw/interface";
import { type Lookup, Resolver, systemLookup } from "./resolver.js";
import { isSelfDial, selfDialError } from "./self-dial.js";

/** Options of {@link createDialer}. */
export interface DialerOptions {
  /** How long one address may take to accept a connection, in milliseconds. @default 5000 */
  readonly connectTimeoutMs?: number | undefined;
  /** Resolves names. @default systemLookup */
  readonly lookup?: Lookup | undefined;
  /** A number in [0, 1), for jitter. @default Math.random */
  readonly random?: (() => number) | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** Defaults of {@link DialerOptions}. */
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
  /** The first addresses of a route, where no look-up is needed for them; undefined where it is. */
  known(endpoint: Endpoint): KnownAddresses | undefined;
  /** A route that has returned `addresses` already. */
  routeAfter(endpoint: Endpoint, addresses: readonly Address[]): Route;
  /**
   * Calls `listener` when routes to an endpoint may have other addresses than before, or in another order. It must be
   * quick, and is called synchronously.
   *
   * @returns a function that stops the calls
   */
  onChange(listener: () => void): () => void;
  /**
   * Connects to the first address of the route that accepts, as `dialRace` of `@gw/interface` says: the next beside
   * the first after 250 ms, each with its own timeout. The socket is paused, unread, allows half-open use, and belongs
   * to the caller.
   *
   * @param options.signal cancels the dial; its reason is what the dial is rejected with
   * @throws {GatewayError} why the last address failed; `self-loop` for an address that is avoided
   */
  dial(endpoint: Endpoint, options?: { readonly signal?: AbortSignal | undefined }): Promise<Socket>;
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
  /** Makes the next dial to each name wait for a new look-up, as after a known change. */
  forget(): void;
}

/** The addresses of one endpoint, best first, for one dial. */
export interface Route {
  /**
   * The next addresses to race, at once where they are known; `undefined` when there are no more, and then `error` says
   * why. A promise of them never rejects.
   */
  next(): readonly Address[] | undefined | Promise<readonly Address[] | undefined>;
  /** None of the addresses that `next` returned last accepted. */
  failed(error: GatewayError): void;
  /** This address accepted: it goes first from now on. */
  accepted(address: Address): void;
  /** Why the last address failed, or why there is none. */
  readonly error: GatewayError;
}

/** What {@link Dialer.known} returns. */
export interface KnownAddresses {
  readonly addresses: readonly Address[];
  /** For how long they may be dialled without asking again, in milliseconds; Infinity for an IP literal. */
  readonly freshMs: number;
}

/** A dialer with its own memory of names. */
export function createDialer(options: DialerOptions = {}): Dialer {
  return new TcpDialer(options);
}

class TcpDialer implements Dialer {
  readonly connectTimeoutMs: number;
  readonly #clock: Clock;
  readonly #resolver: Resolver;
  readonly #listeners = createListeners("the dialer");
  #avoided: readonly Address[] = [];

  constructor(options: DialerOptions) {
    this.connectTimeoutMs = options.connectTimeoutMs ?? dialerDefaults.connectTimeoutMs;
    if (!(this.connectTimeoutMs > 0))
      throw new GatewayError("invalid-option", `connectTimeoutMs ${this.connectTimeoutMs} is not positive`);
    this.#clock = options.clock ?? systemClock;
    const { lookup = systemLookup, random = Math.random } = options;
    this.#resolver = new Resolver(lookup, this.#clock, random, () => this.#listeners.call());
  }

  route(endpoint: Endpoint): Route {
    if (isIP(endpoint.host)) return new LiteralRoute(endpoint, this.#avoided);
    return new NamedRoute(endpoint, this.#avoided, this.#resolver, this.connectTimeoutMs);
  }

  known(endpoint: Endpoint): KnownAddresses | undefined {
    const freshMs = isIP(endpoint.host) ? Infinity : this.#resolver.freshMs(endpoint.host);
    const addresses = freshMs === undefined ? undefined : this.route(endpoint).next();
    if (freshMs === undefined || !addresses || addresses instanceof Promise) return undefined;
    return { addresses, freshMs };
  }

  routeAfter(endpoint: Endpoint, addresses: readonly Address[]): Route {
    if (isIP(endpoint.host)) return new LiteralRoute(endpoint, this.#avoided, addresses);
    return new NamedRoute(endpoint, this.#avoided, this.#resolver, this.connectTimeoutMs, addresses);
  }

  onChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  async dial(
    endpoint: Endpoint,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Socket> {
    const route = this.route(endpoint);
    const options = { timeoutMs: this.connectTimeoutMs, clock: this.#clock, signal };
    for (;;) {
      const addresses = await unlessAborted(route.next(), signal);
      if (!addresses) throw route.error;
      try {
        const { socket, address } = await connectFirst(addresses, options);
        route.accepted(address);
        return socket;
      } catch (error) {
        // Without resources of this machine, no other address can be dialled either.
        const isFinal = !(error instanceof GatewayError) || error.code === "out-of-resources";
        if (isFinal || signal?.aborted) throw error;
        route.failed(error);
      }
    }
  }

  avoid(addresses: readonly Address[]): () => void {
    const added = addresses.map(address => ({ ...address }));
    this.#avoided = [...this.#avoided, ...added];
    this.#listeners.call();
    return () => {
      this.#avoided = this.#avoided.filter(address => !added.includes(address));
    };
  }

  async resolve(host: string): Promise<readonly string[]> {
    return isIP(host) ? [withLocalZone(host)] : this.#resolver.within(host, this.connectTimeoutMs);
  }

  forget(): void {
    this.#resolver.forget();
  }
}

/** `value`, or a rejection with the reason of `signal` if that is aborted first. */
async function unlessAborted<T>(value: T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!(value instanceof Promise) || !signal) return value;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
    value.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** The route to an endpoint that is an IP literal: itself. */
class LiteralRoute implements Route {
  readonly #address: Address;
  readonly #avoided: readonly Address[];
  #returned: boolean;
  /** Created only when it is needed: the stack trace of an error costs more than the rest of a route. */
  #error: GatewayError | undefined;

  /** @param returned the addresses that `next` has returned, if it was called */
  constructor(address: Address, avoided: readonly Address[], returned?: readonly Address[]) {
    this.#address = address;
    this.#avoided = avoided;
    this.#returned = returned !== undefined;
  }

  next(): readonly Address[] | undefined {
    if (this.#returned) return undefined;
    this.#returned = true;
    const { host, port } = this.#address;
    try {
      if (isSelfDial(this.#address, this.#avoided)) throw selfDialError(this.#address);
      return host.includes("%") ? [{ host: withLocalZone(host), port }] : [this.#address];
    } catch (error) {
      this.#error = GatewayError.from(error, "dial");
      return undefined;
    }
  }

  failed(error: GatewayError): void {
    this.#error = error;
  }

  accepted(): void {}

  get error(): GatewayError {
    return this.#error ?? new GatewayError("unreachable", "it was not dialled");
  }
}

/** The route to an endpoint that is a name. */
class NamedRoute implements Route {
  readonly #endpoint: Endpoint;
  readonly #avoided: readonly Address[];
  readonly #resolver: Resolver;
  readonly #timeoutMs: number;
  /** The addresses that `next` has returned. */
  #returned: readonly string[] | undefined;
  #lookedUpAgain = false;
  #error: GatewayError | undefined;

  /**
   * @param timeoutMs how long the name may take to be resolved
   * @param returned the addresses that `next` has returned, if it was called
   */
  constructor(
    endpoint: Endpoint,
    avoided: readonly Address[],
    resolver: Resolver,
    timeoutMs: number,
    returned?: readonly Address[],
  ) {
    this.#endpoint = endpoint;
    this.#avoided = avoided;
    this.#resolver = resolver;
    this.#timeoutMs = timeoutMs;
    this.#returned = returned?.map(({ host }) => host);
  }

  next(): ReturnType<Route["next"]> {
    if (this.#returned) return this.#lookedUpAgain ? undefined : this.#lookUpAgain(this.#returned);
    const known = this.#resolver.fresh(this.#endpoint.host);
    return known ? this.#usable(known) : this.#lookUp();
  }

  failed(error: GatewayError): void {
    this.#error = error;
  }

  accepted({ host }: Address): void {
    this.#resolver.prefer(this.#endpoint.host, host);
  }

  get error(): GatewayError {
    return this.#error ?? new GatewayError("name-not-resolved", `${this.#endpoint.host} has no address`);
  }

  /** Those of `hosts` that are not avoided, or what comes next if all are. */
  #usable(hosts: readonly string[]): ReturnType<Route["next"]> {
    this.#returned = hosts;
    const usable: Address[] = [];
    for (const host of hosts) {
      const address = { host, port: this.#endpoint.port };
      if (isSelfDial(address, this.#avoided)) this.#error = selfDialError(address);
      else usable.push(address);
    }
    return usable.length > 0 ? usable : this.next();
  }

  async #lookUp(): Promise<readonly Address[] | undefined> {
    try {
      return this.#usable(await this.#resolver.within(this.#endpoint.host, this.#timeoutMs));
    } catch (error) {
      this.#returned = [];
      this.#lookedUpAgain = true;
      this.#error = GatewayError.from(error, `look up ${this.#endpoint.host}`);
      return undefined;
    }
  }

  /** When no remembered address accepts: the addresses that a quick look-up adds to them. */
  async #lookUpAgain(before: readonly string[]): Promise<readonly Address[] | undefined> {
    this.#lookedUpAgain = true;
    const now = await this.#resolver.soon(this.#endpoint.host, true);
    return this.#usable(now.filter(address => !before.includes(address)));
  }
}
