import {
  type Address,
  type ClientEvents,
  type Clock,
  type DialStock,
  type Endpoint,
  GatewayError,
  isUnixAddress,
  type Listener,
  type ListenHandlers,
  type ListenTarget,
  notify,
  type Observer,
  type Pool,
  type Relay,
  type RelayClient,
  type RelaySettings,
  startTimeout,
  systemClock,
} from "@gw/interface";
import { Bag } from "./bag.js";
import { type ClientContext, ProxyClient } from "./client.js";
import { refusedAddress } from "./client-events.js";
import { connectionLimit } from "./connection-limit.js";
import { createDialer, type Dialer } from "./dialer.js";
import { jsRelay } from "./js-relay/relay.js";
import { type ListenContext, type ListenerName, listenAt } from "./listen.js";
import { checkTargets } from "./listen-target.js";
import { LoopDetector } from "./loop-detection.js";
import { listOpen, type OpenConnection, type OpenConnectionsQuery } from "./open-connections.js";
import { abandonedMs, atLeastOne, defaultMaxAttempts, type ProxyOptions, relaySettings } from "./options.js";
import { Stock, type StockedDial } from "./stock.js";

/** A TCP proxy. */
export interface TcpProxy extends AsyncDisposable {
  /**
   * Starts to accept clients; resolves with the addresses that are listened on, in the order of the options.
   * Of the addresses of a name, those that this machine does not have are left out and reported by `listenSkipped`.
   *
   * @throws {GatewayError} `name-not-resolved`, `address-in-use`, `not-permitted`, … ; then nothing is listened on.
   *   `invalid-option` for a descriptor that is no listening socket, and when it was called before
   */
  listen(): Promise<readonly Address[]>;
  /** The addresses that are listened on; empty before and after. The host of a Unix socket is `unix:` and its path. */
  readonly addresses: readonly Address[];
  /** How many connections are open or being dialled. */
  readonly connections: number;
  /** At how many connections clients are refused. */
  readonly maxConnections: number;
  /** How many clients were accepted so far, the refused ones not counted. */
  readonly accepted: number;
  /** How many clients were refused so far, because `maxConnections` were open. */
  readonly refused: number;
  /**
   * Lists the connections that are open or being dialled, in the order of their numbers. The list is made when the first
   * one is read; what ends before it is reached is left out.
   */
  openConnections(query?: OpenConnectionsQuery): Iterable<OpenConnection>;
  /**
   * Stops accepting, waits up to `graceMs` for connections to end by themselves, then resets the rest.
   * Resolves when all are closed, at the latest half a second after the grace, with the number of those that were reset.
   * Called again, a shorter grace overrides the one before.
   */
  close(options: { readonly graceMs: number }): Promise<{ readonly cut: number }>;
  /** For `await using`: as {@link TcpProxy.close} without a grace. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A proxy that is not listening yet. */
export function createProxy(options: ProxyOptions): TcpProxy {
  return new ListeningProxy(options);
}

/** How long a relay may take to reset connections, in milliseconds. One that hangs must not delay the exit. */
const resetLimitMs = 500;

/** The most dials that a relay is kept in stock of: as many clients as may come while JavaScript is held up for a while. */
const mostStocked = 256;
/** No more than one connection in so many is promised in advance. */
const stockedShare = 8;

class ListeningProxy implements TcpProxy {
  readonly maxConnections: number;
  readonly #listen: readonly ListenTarget[];
  readonly #relay: Relay;
  readonly #settings: RelaySettings;
  readonly #dialer: Dialer;
  readonly #loops: LoopDetector;
  readonly #observer: Observer | undefined;
  readonly #clock: Clock;
  readonly #clientContext: Omit<ClientContext, "listener">;
  /** Undefined if the relay asks for each client. */
  readonly #stock: Stock | undefined;
  readonly #dials: DialStock | undefined;
  readonly #open = new Bag<"proxyPlace", ProxyClient>("proxyPlace");
  readonly #whenIdle: (() => void)[] = [];
  #listeners: readonly Listener[] = [];
  #addresses: readonly Address[] = [];
  /** Allow the dialer to dial the addresses of this proxy again. */
  readonly #stopsAvoiding: (() => void)[] = [];
  #started = false;
  #closed = false;
  #accepted = 0;
  #refused = 0;
  #graceIsOver = false;
  #cut = 0;

  constructor({ listen, pool, observer, ...options }: ProxyOptions) {
    this.#observer = observer;
    this.#relay = options.relay ?? jsRelay();
    this.#listen = listen;
    checkTargets(listen, this.#relay);
    this.#dialer = options.dialer ?? createDialer();
    this.#clock = options.clock ?? systemClock;
    this.#settings = relaySettings(options);
    const wanted = atLeastOne("maxConnections", options.maxConnections, Infinity);
    const maxAttempts = atLeastOne("maxAttempts", options.maxAttempts, defaultMaxAttempts);
    this.maxConnections = Math.min(wanted, connectionLimit(this.#relay.extraDescriptors));
    this.#loops = new LoopDetector({
      maxConnections: this.maxConnections,
      clock: this.#clock,
      another: endpoint => anotherEndpoint(pool, endpoint),
      onCheck: () => this.#stock?.takeBack(),
      random: options.random ?? Math.random,
    });
    this.#dials = this.#relay.createStock?.();
    this.#stock =
      this.#dials &&
      new Stock({
        dials: this.#dials,
        pool,
        dialer: this.#dialer,
        clock: this.#clock,
        room: () => this.maxConnections - this.#open.size,
        allows: endpoint => this.#loops.allows(endpoint),
        most: Math.min(mostStocked, Math.floor(this.maxConnections / stockedShare)),
      });
    this.#clientContext = {
      pool,
      stock: this.#stock,
      dialer: this.#dialer,
      loops: this.#loops,
      maxAttempts,
      abandonedMs: abandonedMs(this.#settings),
      observer,
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

  get accepted(): number {
    return this.#accepted;
  }

  get refused(): number {
    return this.#refused;
  }

  openConnections(query: OpenConnectionsQuery = {}): Iterable<OpenConnection> {
    return { [Symbol.iterator]: () => listOpen(this.#open, query) };
  }

  async listen(): Promise<readonly Address[]> {
    if (this.#started) throw new GatewayError("invalid-option", "a proxy can listen only once");
    this.#started = true;
    const context: ListenContext = {
      relay: this.#relay,
      handlersOf: listener => this.#handlersOf(listener),
      settings: this.#settings,
      resolve: host => this.#dialer.resolve(host),
      observer: this.#observer,
    };
    try {
      for (const target of this.#listen) {
        const opened = await listenAt(target, this.#addresses, context);
        const addresses = opened.map(listener => listener.address);
        this.#listeners = [...this.#listeners, ...opened];
        this.#addresses = [...this.#addresses, ...addresses];
        this.#stopsAvoiding.push(this.#dialer.avoid(addresses.filter(address => !isUnixAddress(address))));
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
    this.#stock?.close();
    for (const listener of this.#listeners) listener.close();
    for (const stopAvoiding of this.#stopsAvoiding.splice(0)) stopAvoiding();
    this.#addresses = [];
    let cancel = startTimeout(this.#clock, graceMs, () => {
      this.#graceIsOver = true;
      for (const client of [...this.#open]) if (client.abort()) this.#cut += 1;
      cancel = this.#clock.after(resetLimitMs, () => this.#settle());
    });
    await new Promise<void>(resolve => {
      if (this.#isIdle) resolve();
      else this.#whenIdle.push(resolve);
    });
    cancel();
    return { cut: this.#cut };
  }

  #handlersOf(listener: ListenerName): ListenHandlers {
    const context: ClientContext = { ...this.#clientContext, listener };
    return {
      stock: this.#dials,
      onClient: (client, dial) => this.#accept(client, dial as StockedDial | undefined, context),
      onError: error => notify(this.#observer, "acceptFailed", { error }),
      onReported: () => this.#stock?.add(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close({ graceMs: 0 });
  }

  /** @param dialled a dial that the relay has begun for this client */
  #accept(
    client: RelayClient,
    dialled: StockedDial | undefined,
    context: ClientContext,
  ): ClientEvents | undefined {
    if (dialled) this.#stock?.used();
    const stocked = dialled ?? this.#stock?.take();
    // There is a place for each dial in stock.
    if (!stocked && this.#open.size + (this.#stock?.outstanding ?? 0) >= this.maxConnections) {
      this.#refused += 1;
      const limit = this.maxConnections;
      const listener = context.listener.name;
      notify(this.#observer, "limitReached", {
        limit,
        listener,
        client: refusedAddress(client, this.#observer),
      });
      return undefined;
    }
    this.#accepted += 1;
    const accepted = new ProxyClient(this.#accepted, client, context);
    this.#open.add(accepted);
    if (dialled) accepted.startDialled(dialled);
    else accepted.start(stocked);
    if (this.#graceIsOver && accepted.abort()) this.#cut += 1;
    return accepted;
  }

  /** Whether there is no client, not even one that was not reported yet. */
  get #isIdle(): boolean {
    return this.#open.size === 0 && (this.#stock?.outstanding ?? 0) === 0;
  }

  #ended(client: ProxyClient): void {
    this.#open.delete(client);
    if (this.#isIdle) this.#settle();
  }

  /** Ends all calls of `close` that wait for connections to end. */
  #settle(): void {
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}

/** The endpoint that a client would go to that has failed on `endpoint`. */
function anotherEndpoint(pool: Pool, endpoint: Endpoint): Endpoint | undefined {
  const lease = pool.acquire({ tried: [endpoint], onRevoked() {} });
  lease?.released();
  return lease?.endpoint;
}
