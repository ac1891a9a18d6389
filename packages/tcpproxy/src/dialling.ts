import {
  type Address,
  type Endpoint,
  GatewayError,
  type Lease,
  type LeaseRequest,
  notify,
  type Observer,
  type Pool,
  type RelayClient,
} from "@gw/interface";
import type { Dialer, Route } from "./dialer.js";
import type { Hold, LoopClient } from "./loop-check.js";
import type { LoopDetector } from "./loop-detection.js";
import type { Stock, StockedDial } from "./stock.js";

/** What all dials of a proxy share. */
export interface DiallingContext {
  readonly pool: Pool;
  /** Undefined if there are no picks ahead. */
  readonly stock: Stock | undefined;
  readonly dialer: Dialer;
  readonly loops: LoopDetector;
  /** Endpoints that are tried for one client at most. */
  readonly maxAttempts: number;
  readonly observer: Observer | undefined;
}

/** A client that is dialled for. */
export interface DiallingClient extends LeaseRequest, LoopClient {
  /** Nothing is dialled any more. */
  readonly isEnding: boolean;
  /** No endpoint can serve it: it is closed. */
  giveUp(): void;
}

const none: readonly Endpoint[] = Object.freeze([]);

/** The state of a client that is not connected to a backend yet: it tries endpoint after endpoint until one accepts. */
export class Dialling {
  /** When the client was reported to have been accepted, on the proxy's clock. */
  readonly sinceMs: number;
  readonly #client: DiallingClient;
  readonly #relay: RelayClient;
  readonly #context: DiallingContext;
  /** Endpoints on which this client has failed. */
  #tried: readonly Endpoint[] = none;
  /** For the endpoint that is tried now. */
  #lease: Lease | undefined;
  /** The addresses of the endpoint that is dialled now. Not before it is needed, for a dial of the stock. */
  #route: Route | undefined;
  /** A dial of the stock, until there is a route. */
  #stocked: StockedDial | undefined;
  /** Whether the relay is dialling. */
  #isUnderWay = false;
  /** What is to be dialled when the client is held no longer. */
  #held: { readonly addresses: readonly Address[]; readonly hold: Hold } | undefined;
  /** Why the last endpoint could not be connected to, or why the client is closed. */
  error: GatewayError | undefined;

  constructor(client: DiallingClient, relay: RelayClient, context: DiallingContext, sinceMs: number) {
    this.#client = client;
    this.#relay = relay;
    this.#context = context;
    this.sinceMs = sinceMs;
  }

  get tried(): readonly Endpoint[] {
    return this.#tried;
  }

  /** How many endpoints were tried, that which is tried now included. */
  get tries(): number {
    return this.#tried.length + (this.#lease ? 1 : 0);
  }

  /** The endpoint that is tried now. */
  get endpoint(): Endpoint | undefined {
    return this.#lease?.endpoint;
  }

  /** Begins to dial; with a dial of the stock for the endpoint that was picked then. */
  start(stocked: StockedDial | undefined): void {
    const { opening } = this.#context.pool;
    if (stocked) {
      this.#leaseStocked(stocked);
      this.#dial(stocked.addresses);
    } else if (opening) void opening.then(() => this.#advance());
    else this.#advance();
  }

  /** The relay has begun this dial of the stock already. */
  startDialled(stocked: StockedDial): void {
    this.#leaseStocked(stocked);
    this.#isUnderWay = true;
    const { loops } = this.#context;
    const error = loops.dialled(this.#client, stocked.pick.endpoint, stocked.addresses, this.sinceMs);
    if (error) this.revoked(error);
  }

  /** The client is held no longer. */
  resume(): void {
    if (!this.#held || this.#client.isEnding) return;
    const { addresses } = this.#held;
    this.#held = undefined;
    this.#dial(addresses);
  }

  /** The endpoint must not be connected to any more. */
  revoked(error: GatewayError): void {
    if (this.#isUnderWay) this.#relay.cancelDial();
    this.#tryNextEndpoint(error);
  }

  /** The relay could not connect to the addresses. */
  failed(error: GatewayError): void {
    if (error.code === "out-of-resources") {
      // This machine cannot dial any other address either.
      this.#endpointFailed(error);
      this.#giveUp();
    } else {
      this.#isUnderWay = false;
      this.#currentRoute()?.failed(error);
      this.#advance();
    }
  }

  /** The relay has connected the client to `address`; returns the lease of its endpoint. */
  connected(address: Address): Lease | undefined {
    if (!this.#lease) return undefined;
    // If it is the first of those in stock, it goes first already.
    if (address !== this.#stocked?.addresses[0]) this.#currentRoute()?.accepted(address);
    return this.#lease;
  }

  /** The client has ended before it was connected. */
  ended(): void {
    this.#held?.hold.leave(this.#client);
    if (this.#lease) this.#context.loops.left(this.#client, this.#lease.endpoint);
    this.#lease?.released();
  }

  #leaseStocked(stocked: StockedDial): void {
    this.#lease = stocked.pick.lease(this.#client);
    this.#stocked = stocked;
  }

  /** The route to the endpoint that is being dialled, or was. */
  #currentRoute(): Route | undefined {
    const stocked = this.#stocked;
    if (stocked) {
      this.#route = this.#context.dialer.routeAfter(stocked.pick.endpoint, stocked.addresses);
      this.#stocked = undefined;
    }
    return this.#route;
  }

  /** Dials the next addresses of this endpoint, or the next endpoint if there are none. */
  #advance(): void {
    try {
      while (!this.#client.isEnding) {
        if (!this.#lease && !this.#acquire()) break;
        const route = this.#route as Route;
        const addresses = route.next();
        if (addresses) {
          if (addresses instanceof Promise) void addresses.then(found => this.#resolved(route, found));
          else this.#dial(addresses);
          return;
        }
        this.#endpointFailed(route.error);
      }
      this.#giveUp();
    } catch (error) {
      this.error = GatewayError.from(error, "serve");
      this.#giveUp();
    }
  }

  #acquire(): boolean {
    const { pool, stock, dialer, maxAttempts } = this.#context;
    if (this.#tried.length >= maxAttempts) {
      this.error = attemptsExhausted(maxAttempts, this.error);
      return false;
    }
    const early = this.#tried === none ? stock?.lease(this.#client) : undefined;
    this.#lease = early ?? pool.acquire(this.#client);
    if (this.#lease) this.#route = dialer.route(this.#lease.endpoint);
    return this.#lease !== undefined;
  }

  #resolved(route: Route, addresses: readonly Address[] | undefined): void {
    if (this.#route !== route || this.#client.isEnding) return;
    if (addresses) this.#dial(addresses);
    else this.#tryNextEndpoint(route.error);
  }

  #dial(addresses: readonly Address[]): void {
    const { loops, dialer } = this.#context;
    const { endpoint } = this.#lease as Lease;
    const obstacle = loops.admit(this.#client, endpoint, addresses, this.sinceMs);
    if (!obstacle) {
      this.#isUnderWay = true;
      this.#relay.dial(addresses, dialer.connectTimeoutMs);
    } else if (obstacle instanceof GatewayError) this.#tryNextEndpoint(obstacle);
    else this.#held = { addresses, hold: obstacle };
  }

  #tryNextEndpoint(error: GatewayError): void {
    this.#endpointFailed(error);
    this.#advance();
  }

  #endpointFailed(error: GatewayError): void {
    const lease = this.#lease as Lease;
    const { endpoint } = lease;
    this.#held?.hold.leave(this.#client);
    this.#context.loops.left(this.#client, endpoint);
    this.#held = undefined;
    this.#lease = undefined;
    this.#route = undefined;
    this.#stocked = undefined;
    this.#isUnderWay = false;
    this.error = error;
    this.#tried = [...this.#tried, endpoint];
    lease.failed(error);
    notify(this.#context.observer, "dialFailed", { connection: this.#client.id, endpoint, error });
  }

  #giveUp(): void {
    if (this.#client.isEnding) return;
    this.error ??= new GatewayError("unreachable", "there are no endpoints that may be used");
    this.#client.giveUp();
  }
}

function attemptsExhausted(maxAttempts: number, last: GatewayError | undefined): GatewayError {
  const endpoints = maxAttempts === 1 ? "1 endpoint was tried" : `${maxAttempts} endpoints were tried`;
  const why = last ? `; the last: ${last.detail}` : "";
  const detail = `${endpoints}, the most for one client${why}`;
  return new GatewayError(last?.code ?? "unreachable", detail, { cause: last });
}
