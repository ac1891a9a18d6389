import {
  type Address,
  type ClientEvents,
  type Clock,
  type Endpoint,
  GatewayError,
  type Listener,
  type ListenHandlers,
  notify,
  type Observer,
  type Pool,
  type Relay,
  type RelayClient,
  type RelaySettings,
  startTimeout,
  systemClock,
} from "@gw/interface";
import { type ClientContext, ProxyClient } from "./client.js";
import { connectionLimit } from "./connection-limit.js";
import { createDialer, type Dialer } from "./dialer.js";
import { jsRelay } from "./js-relay/relay.js";
import { type ListenContext, listenAt } from "./listen.js";
import { LoopDetector } from "./loop-detection.js";

/** Options of {@link createProxy}. */
export interface ProxyOptions extends Partial<Record<keyof RelaySettings, number | undefined>> {
  /**
   * Where to accept clients: at all addresses of a name. Port 0 takes a free port, the same for all addresses of one
   * name.
   */
  readonly listen: readonly Address[];
  /** Says where each connection goes; see {@link inOrder} and `@gw/selector`. */
  readonly pool: Pool;
  /** Knows the addresses of names, and how long to wait for one. @default createDialer() */
  readonly dialer?: Dialer | undefined;
  /** Accepts, dials and moves the bytes. @default jsRelay() */
  readonly relay?: Relay | undefined;
  /**
   * More clients than this are refused with a reset. Never more than the file descriptors allow.
   * @default what `ulimit -n` allows
   */
  readonly maxConnections?: number | undefined;
  /**
   * Endpoints that are tried for one client before it is closed, so that many that are down cost neither the client
   * nor this process more than that.
   * @default 16
   */
  readonly maxAttempts?: number | undefined;
  /** Up to 32767000. @default 30000 */
  readonly keepAliveDelayMs?: number | undefined;
  /** Up to 32767000. @default 10000 */
  readonly keepAliveIntervalMs?: number | undefined;
  /** Up to 127. @default 3 */
  readonly keepAliveProbes?: number | undefined;
  /**
   * Where it is shorter than `keepAliveDelayMs` + `keepAliveProbes` × `keepAliveIntervalMs`, a silent peer is given up
   * after fewer probes.
   * @default 60000, or as long as keepalive takes to give up if that is longer
   */
  readonly userTimeoutMs?: number | undefined;
  /** @default 0 (never) */
  readonly idleTimeoutMs?: number | undefined;
  /** @default 600000 */
  readonly halfCloseTimeoutMs?: number | undefined;
  /** @default 300000 */
  readonly writeTimeoutMs?: number | undefined;
  /** Sees what happens to connections. */
  readonly observer?: Observer | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
  /** Draws when and how loops through other gateways are tested for. @default Math.random */
  readonly random?: (() => number) | undefined;
}

/** What holds where {@link ProxyOptions} are silent. */
export const proxyDefaults: RelaySettings = {
  keepAliveDelayMs: 30_000,
  keepAliveIntervalMs: 10_000,
  keepAliveProbes: 3,
  userTimeoutMs: 60_000,
  idleTimeoutMs: 0,
  halfCloseTimeoutMs: 600_000,
  writeTimeoutMs: 300_000,
};

/** Endpoints that are tried for one client where {@link ProxyOptions.maxAttempts} is not given. */
export const defaultMaxAttempts = 16;

/** A TCP proxy. */
export interface TcpProxy {
  /**
   * Starts to accept clients; resolves with the addresses that are listened on, in the order of the options.
   * Of the addresses of a name those that this machine does not have are left out; `listenSkipped` tells so.
   *
   * @throws {GatewayError} `name-not-resolved`, `address-in-use`, `not-permitted`, … ; then nothing is listened on. `invalid-option`
   *   when it was called before
   */
  listen(): Promise<readonly Address[]>;
  /** The addresses that are listened on; empty before and after. */
  readonly addresses: readonly Address[];
  /** Connections that are open or being made. */
  readonly connections: number;
  /** At how many connections clients are refused. */
  readonly maxConnections: number;
  /**
   * Stops accepting, waits up to `graceMs` for connections to end by themselves, then resets the rest.
   * Resolves when all are closed, at the latest half a second after the grace, with the number of those that were cut.
   * Called again, a shorter grace overrides the one before.
   */
  close(options: { readonly graceMs: number }): Promise<{ readonly cut: number }>;
}

/** A proxy that is not listening yet. */
export function createProxy(options: ProxyOptions): TcpProxy {
  return new ListeningProxy(options);
}

class ListeningProxy implements TcpProxy {
  readonly maxConnections: number;
  readonly #options: ProxyOptions;
  readonly #relay: Relay;
  readonly #settings: RelaySettings;
  readonly #context: ClientContext;
  readonly #clock: Clock;
  readonly #loops: LoopDetector;
  readonly #open = new Set<ProxyClient>();
  readonly #whenIdle: (() => void)[] = [];
  #listeners: readonly Listener[] = [];
  #addresses: readonly Address[] = [];
  /** Allow the dialer to dial the addresses of this proxy again. */
  readonly #stopsAvoiding: (() => void)[] = [];
  #started = false;
  #closed = false;
  #accepted = 0;
  #cut = 0;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#relay = options.relay ?? jsRelay();
    this.#clock = options.clock ?? systemClock;
    this.#settings = settingsOf(options);
    const wanted = options.maxConnections ?? Infinity;
    if (!(wanted >= 1))
      throw new GatewayError("invalid-option", `maxConnections ${wanted} is not at least 1`);
    const maxAttempts = options.maxAttempts ?? defaultMaxAttempts;
    if (!(maxAttempts >= 1))
      throw new GatewayError("invalid-option", `maxAttempts ${maxAttempts} is not at least 1`);
    this.maxConnections = Math.min(wanted, connectionLimit(this.#relay.extraDescriptors));
    this.#loops = new LoopDetector({
      maxConnections: this.maxConnections,
      clock: this.#clock,
      another: endpoint => anotherEndpoint(options.pool, endpoint),
      random: options.random ?? Math.random,
    });
    this.#context = {
      pool: options.pool,
      dialer: options.dialer ?? createDialer(),
      loops: this.#loops,
      maxAttempts,
      observer: options.observer,
      clock: this.#clock,
      onEnd: client => this.#ended(client),
    };
  }

  get addresses(): readonly Address[] {
    return this.#addresses;
  }

  get connections(): number {
    return this.#open.size;
  }

  async listen(): Promise<readonly Address[]> {
    if (this.#started) throw new GatewayError("invalid-option", "a proxy can be told to listen only once");
    this.#started = true;
    const handlers: ListenHandlers = {
      onClient: client => this.#accept(client),
      onError: error => notify(this.#options.observer, "acceptFailed", { error }),
    };
    const context: ListenContext = {
      relay: this.#relay,
      handlers,
      settings: this.#settings,
      resolve: host => this.#context.dialer.resolve(host),
      observer: this.#options.observer,
    };
    try {
      for (const address of this.#options.listen) {
        const opened = await listenAt(address, this.#addresses, context);
        const addresses = opened.map(listener => listener.address);
        this.#listeners = [...this.#listeners, ...opened];
        this.#addresses = [...this.#addresses, ...addresses];
        this.#stopsAvoiding.push(this.#context.dialer.avoid(addresses));
        if (this.#closed) throw new GatewayError("aborted", "the proxy was closed before it listened");
      }
    } catch (error) {
      await this.close({ graceMs: 0 });
      throw error;
    }
    return this.#addresses;
  }

  async close({ graceMs }: { readonly graceMs: number }): Promise<{ readonly cut: number }> {
    this.#closed = true;
    this.#loops.stop();
    for (const listener of this.#listeners) listener.close();
    this.#addresses = [];
    for (const stopAvoiding of this.#stopsAvoiding.splice(0)) stopAvoiding();
    let cancel = startTimeout(this.#clock, graceMs, () => {
      this.#cutAll();
      cancel = this.#clock.after(resetLimitMs, () => this.#settle());
    });
    await this.#idle();
    cancel();
    return { cut: this.#cut };
  }

  #accept(client: RelayClient): ClientEvents | undefined {
    if (this.#open.size >= this.maxConnections) {
      notify(this.#options.observer, "limitReached", { limit: this.maxConnections });
      return undefined;
    }
    this.#accepted += 1;
    const served = new ProxyClient(this.#accepted, client, this.#context);
    this.#open.add(served);
    served.start();
    return served;
  }

  /** Resolves when no connection is open. */
  #idle(): Promise<void> {
    return new Promise(resolve => {
      if (this.#open.size === 0) resolve();
      else this.#whenIdle.push(resolve);
    });
  }

  #ended(client: ProxyClient): void {
    this.#open.delete(client);
    if (this.#open.size === 0) this.#settle();
  }

  #settle(): void {
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #cutAll(): void {
    for (const client of [...this.#open]) if (client.abort()) this.#cut += 1;
  }
}

/** Where a client that has failed on `endpoint` would go. */
function anotherEndpoint(pool: Pool, endpoint: Endpoint): Endpoint | undefined {
  const lease = pool.acquire({ tried: [endpoint], onRevoked() {} });
  lease?.released();
  return lease?.endpoint;
}

/** How long a relay may take to reset what is cut, in milliseconds. One that hangs must not hold up the exit. */
const resetLimitMs = 500;

/** The options that are the relay's, with the defaults. */
function settingsOf(options: ProxyOptions): RelaySettings {
  const settings: Record<string, number> = {};
  for (const [name, standard] of Object.entries(proxyDefaults)) {
    const value = options[name as keyof RelaySettings] ?? (standard as number);
    const most = keepAliveLimits[name as keyof RelaySettings] ?? longestMs;
    if (!(value >= 0 && value <= most))
      throw new GatewayError("invalid-option", `${name} ${value} is not between 0 and ${most}`);
    settings[name] = value;
  }
  const relaySettings = settings as unknown as RelaySettings;
  const userTimeoutMs =
    options.userTimeoutMs ?? Math.max(proxyDefaults.userTimeoutMs, keepAliveMs(relaySettings));
  return { ...relaySettings, userTimeoutMs };
}

/** What systems take: Linux refuses more, and would go on with its own two hours. */
export const keepAliveLimits: Partial<RelaySettings> = {
  keepAliveDelayMs: 32_767_000,
  keepAliveIntervalMs: 32_767_000,
  keepAliveProbes: 127,
};

/** After how long without an answer keepalive gives up, in milliseconds; 0 if it is off. */
export function keepAliveMs(
  settings: { readonly [Name in keyof RelaySettings]?: number | undefined },
): number {
  const {
    keepAliveDelayMs = proxyDefaults.keepAliveDelayMs,
    keepAliveIntervalMs = proxyDefaults.keepAliveIntervalMs,
    keepAliveProbes = proxyDefaults.keepAliveProbes,
  } = settings;
  return keepAliveDelayMs === 0 ? 0 : keepAliveDelayMs + keepAliveProbes * keepAliveIntervalMs;
}

/** What a timer can wait for at most. */
const longestMs = 2 ** 31 - 1;
