import {
  type Address,
  type ClientEvents,
  type Clock,
  type ClosedClient,
  type Endpoint,
  GatewayError,
  type Lease,
  type LeaseRequest,
  notify,
  type Observer,
  type Pool,
  type RelayClient,
  type RelayEnd,
} from "@gw/interface";
import type { Dialer, Route } from "./dialer.js";
import type { Hold, LoopClient } from "./loop-check.js";
import type { LoopDetector } from "./loop-detection.js";
import type { Stock, StockedDial } from "./stock.js";

/** What the clients of a proxy share. */
export interface ClientContext {
  readonly pool: Pool;
  /** Undefined if there are no picks ahead. */
  readonly stock: Stock | undefined;
  readonly dialer: Dialer;
  readonly loops: LoopDetector;
  /** Endpoints that are tried for one client at most. */
  readonly maxAttempts: number;
  /** A client that leaves after it has been waiting for an answer for this long, in milliseconds, gave up. */
  readonly abandonedMs: number;
  readonly observer: Observer | undefined;
  readonly clock: Clock;
  /** Called once for each client, when it and its backend are closed; never from within `start`. */
  readonly onEnd: (client: ProxyClient) => void;
}

/** The state of a client that is not connected to a backend yet. */
interface Dialling {
  /** When the client was accepted, on the proxy's clock. */
  readonly sinceMs: number;
  /** Endpoints on which this client has failed. */
  tried: readonly Endpoint[];
  /** The addresses of the endpoint that is dialled now. Not before it is needed, for a dial of the stock. */
  route: Route | undefined;
  /** A dial of the stock, until there is a route. */
  stocked: StockedDial | undefined;
  /** Whether the relay is dialling. */
  isUnderWay: boolean;
  /** What is to be dialled when the client is held no longer. */
  held: { readonly addresses: readonly Address[]; readonly hold: Hold } | undefined;
  /** Why the last endpoint could not be connected to. */
  error: GatewayError | undefined;
}

const none: readonly Endpoint[] = Object.freeze([]);

/**
 * One client, from accept to close: dials endpoint after endpoint until one accepts; from then on the relay does the
 * work. There is one for each open connection, so it is small.
 */
export class ProxyClient implements ClientEvents, LeaseRequest, LoopClient {
  /** The number of the connection in events. */
  readonly id: number;
  loopPlace = 0;
  /** The place of the client among those of its proxy. */
  proxyPlace = 0;
  readonly #client: RelayClient;
  readonly #context: ClientContext;
  #lease: Lease | undefined;
  /** Until the client is connected. */
  #dialling: Dialling | undefined;
  /** When the client was accepted, on the proxy's clock. */
  readonly #sinceMs: number;
  #dialMs = 0;
  #tries = 1;
  /** Whether the client is ending already, and the error of the pool if that revoked its connection. */
  #ending: boolean | GatewayError = false;

  constructor(id: number, client: RelayClient, context: ClientContext) {
    this.id = id;
    this.#client = client;
    this.#context = context;
    this.#sinceMs = context.clock.now();
    this.#dialling = {
      sinceMs: context.clock.now(),
      tried: none,
      route: undefined,
      stocked: undefined,
      isUnderWay: false,
      held: undefined,
      error: undefined,
    };
  }

  get tried(): readonly Endpoint[] {
    return this.#dialling?.tried ?? none;
  }

  get answered(): boolean {
    return !this.#dialling && this.#client.bytesFromBackend > 0;
  }

  get bytesFromBackend(): number {
    return this.#client.bytesFromBackend;
  }

  get answeredMs(): number | undefined {
    return this.#client.answeredMs;
  }

  get waitingMs(): number | undefined {
    return this.#client.waitingMs;
  }

  get host(): string {
    return this.#client.address.host;
  }

  get isSilent(): boolean {
    return !this.#ending && this.#client.bytesFromBackend === 0;
  }

  /** Begins to dial; with a dial of the stock for the endpoint that was picked then. */
  start(stocked: StockedDial | undefined): void {
    this.#accepted();
    const { opening } = this.#context.pool;
    if (stocked) this.#dial(this.#leased(stocked), stocked.addresses);
    else if (opening) void opening.then(() => this.#begin());
    else this.#begin();
  }

  /** The relay has begun this dial of the stock already. */
  startDialled(stocked: StockedDial): void {
    this.#accepted();
    const dialling = this.#leased(stocked);
    dialling.isUnderWay = true;
    const { loops } = this.#context;
    const error = loops.dialled(this, stocked.pick.endpoint, stocked.addresses, dialling.sinceMs);
    if (error) this.onRevoked(error);
  }

  #accepted(): void {
    const { observer, loops } = this.#context;
    loops.accepted(this);
    if (observer?.accepted)
      notify(observer, "accepted", { connection: this.id, client: this.#client.address });
  }

  #leased(stocked: StockedDial): Dialling {
    const dialling = this.#dialling as Dialling;
    this.#lease = stocked.pick.lease(this);
    dialling.stocked = stocked;
    return dialling;
  }

  /** The route to the endpoint that is being dialled, or was. */
  #routeOf(dialling: Dialling): Route | undefined {
    const { stocked } = dialling;
    if (stocked) {
      dialling.route = this.#context.dialer.routeAfter(stocked.pick.endpoint, stocked.addresses);
      dialling.stocked = undefined;
    }
    return dialling.route;
  }

  #begin(): void {
    if (this.#dialling) this.#advance(this.#dialling);
  }

  /** Resets the client and its backend, because the proxy closes. Returns false if it was ending already. */
  abort(): boolean {
    if (this.#ending) return false;
    this.#ending = true;
    if (this.#dialling) this.#dialling.error = new GatewayError("aborted", "the gateway is closing");
    this.#client.abort();
    return true;
  }

  resume(): void {
    const dialling = this.#dialling;
    if (!dialling?.held || this.#ending) return;
    const { addresses } = dialling.held;
    dialling.held = undefined;
    this.#dial(dialling, addresses);
  }

  onRevoked(error: GatewayError): void {
    if (this.#ending) return;
    const dialling = this.#dialling;
    if (dialling) {
      if (dialling.isUnderWay) this.#client.cancelDial();
      this.#tryNextEndpoint(dialling, error);
    } else {
      this.#ending = error;
      this.#client.abort();
    }
  }

  connected(address: Address, tookMs?: number): void {
    const dialling = this.#dialling;
    if (!dialling || !this.#lease || this.#ending) return;
    this.#dialling = undefined;
    this.#dialMs = tookMs ?? this.#context.clock.now() - this.#sinceMs;
    this.#tries = dialling.tried.length + 1;
    // If it is the first of those in stock, it goes first already.
    if (address !== dialling.stocked?.addresses[0]) this.#routeOf(dialling)?.accepted(address);
    this.#lease.connected();
    const { observer } = this.#context;
    if (observer?.connected)
      notify(observer, "connected", {
        connection: this.id,
        endpoint: this.#lease.endpoint,
        address,
        dialMs: this.#dialMs,
      });
  }

  dialFailed(error: GatewayError): void {
    const dialling = this.#dialling;
    if (!dialling || this.#ending) return;
    if (error.code === "out-of-resources") {
      // This machine cannot dial any other address either.
      this.#endpointFailed(dialling, error);
      this.#giveUp(dialling);
    } else {
      dialling.isUnderWay = false;
      this.#routeOf(dialling)?.failed(error);
      this.#advance(dialling);
    }
  }

  stalled(): void {
    if (this.#dialling || this.#ending || !this.#lease) return;
    this.#lease.stalled?.();
    const { observer } = this.#context;
    if (observer?.stalled)
      notify(observer, "stalled", {
        connection: this.id,
        endpoint: this.#lease.endpoint,
        waitedMs: this.#client.waitingMs ?? 0,
      });
  }

  ended(end: RelayEnd): void {
    const { observer, loops, abandonedMs, onEnd } = this.#context;
    const [lease, dialling, revoked] = [this.#lease, this.#dialling, this.#ending];
    this.#ending = true;
    this.#lease = undefined;
    dialling?.held?.hold.leave(this);
    if (lease) loops.left(this, lease.endpoint);
    if (!dialling && end.waitedMs !== undefined && end.waitedMs >= abandonedMs) lease?.abandoned?.();
    if (dialling) lease?.released();
    else lease?.released(end.reason === "backend-failed" ? end.error : undefined, wasAnswered(end));
    if (lease && !dialling) {
      if (observer?.closed) {
        const why = end.reason === "aborted" && typeof revoked === "object" ? { error: revoked } : {};
        notify(observer, "closed", {
          ...this.#closed(this.#tries),
          endpoint: lease.endpoint,
          dialMs: this.#dialMs,
          ...end,
          ...why,
        });
      }
    } else {
      const error = dialling?.error ?? end.error ?? new GatewayError("reset", "the client went away");
      notify(observer, "unserved", { ...this.#closed(dialling?.tried.length ?? 0), error });
    }
    onEnd(this);
  }

  #closed(tries: number): ClosedClient {
    return {
      connection: this.id,
      listener: "",
      tries,
      durationMs: this.#context.clock.now() - this.#sinceMs,
    };
  }

  /** Dials the next addresses of this endpoint, or the next endpoint if there are none. */
  #advance(dialling: Dialling): void {
    try {
      while (!this.#ending) {
        if (!this.#lease && !this.#acquire(dialling)) break;
        const route = dialling.route as Route;
        const addresses = route.next();
        if (addresses) {
          if (addresses instanceof Promise)
            void addresses.then(found => this.#resolved(dialling, route, found));
          else this.#dial(dialling, addresses);
          return;
        }
        this.#endpointFailed(dialling, route.error);
      }
      this.#giveUp(dialling);
    } catch (error) {
      dialling.error = GatewayError.from(error, "serve");
      this.#giveUp(dialling);
    }
  }

  #acquire(dialling: Dialling): boolean {
    const { pool, stock, dialer, maxAttempts } = this.#context;
    if (dialling.tried.length >= maxAttempts) {
      dialling.error = attemptsExhausted(maxAttempts, dialling.error);
      return false;
    }
    this.#lease = (dialling.tried === none ? stock?.lease(this) : undefined) ?? pool.acquire(this);
    if (this.#lease) dialling.route = dialer.route(this.#lease.endpoint);
    return this.#lease !== undefined;
  }

  #resolved(dialling: Dialling, route: Route, addresses: readonly Address[] | undefined): void {
    if (dialling.route !== route || this.#ending) return;
    if (addresses) this.#dial(dialling, addresses);
    else this.#tryNextEndpoint(dialling, route.error);
  }

  #dial(dialling: Dialling, addresses: readonly Address[]): void {
    const { loops, dialer } = this.#context;
    const obstacle = loops.admit(this, (this.#lease as Lease).endpoint, addresses, dialling.sinceMs);
    if (!obstacle) {
      dialling.isUnderWay = true;
      this.#client.dial(addresses, dialer.connectTimeoutMs);
    } else if (obstacle instanceof GatewayError) this.#tryNextEndpoint(dialling, obstacle);
    else dialling.held = { addresses, hold: obstacle };
  }

  #tryNextEndpoint(dialling: Dialling, error: GatewayError): void {
    this.#endpointFailed(dialling, error);
    this.#advance(dialling);
  }

  #endpointFailed(dialling: Dialling, error: GatewayError): void {
    const lease = this.#lease as Lease;
    dialling.held?.hold.leave(this);
    this.#context.loops.left(this, lease.endpoint);
    dialling.held = undefined;
    this.#lease = undefined;
    dialling.route = undefined;
    dialling.stocked = undefined;
    dialling.isUnderWay = false;
    dialling.error = error;
    dialling.tried = [...dialling.tried, lease.endpoint];
    lease.failed(error);
    notify(this.#context.observer, "dialFailed", { connection: this.id, endpoint: lease.endpoint, error });
  }

  #giveUp(dialling: Dialling): void {
    if (this.#ending) return;
    this.#ending = true;
    dialling.error ??= new GatewayError("unreachable", "there are no endpoints that may be used");
    this.#client.close();
  }
}

function attemptsExhausted(maxAttempts: number, last: GatewayError | undefined): GatewayError {
  const endpoints = maxAttempts === 1 ? "1 endpoint was tried" : `${maxAttempts} endpoints were tried`;
  const why = last ? `; the last: ${last.detail}` : "";
  const detail = `${endpoints}, the most for one client${why}`;
  return new GatewayError(last?.code ?? "unreachable", detail, { cause: last });
}

/** See {@link Lease.released}. */
function wasAnswered(end: RelayEnd): boolean | undefined {
  const { reason, bytesFromClient, bytesFromBackend, endedFirst, error } = end;
  if (bytesFromBackend > 0) return true;
  if (error?.isLocal) return undefined;
  // A client that has sent a request and ended its output still waits for an answer, and a reset is none.
  const wasReset = reason === "backend-failed" && endedFirst === "client" && bytesFromClient > 0;
  return endedFirst === "backend" || wasReset ? false : undefined;
}
