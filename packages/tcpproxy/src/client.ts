import {
  type Address,
  type ClientEvents,
  type Clock,
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
import { type Dialer, endsRoute, type Route } from "./dialer.js";
import type { Hold, LoopClient, LoopDetector } from "./loop-detection.js";

/** What all connections of a proxy share. */
export interface ClientContext {
  readonly pool: Pool;
  readonly dialer: Dialer;
  readonly loops: LoopDetector;
  /** Endpoints that are tried for one client at most. */
  readonly maxAttempts: number;
  readonly observer: Observer | undefined;
  readonly clock: Clock;
  /** Called once for each client, when it and its backend are closed; never from within `serve`. */
  readonly onEnd: (client: ProxyClient) => void;
}

/** One client's way to a backend; forgotten once it is connected. */
interface Attempt {
  /** When the client was accepted, on the proxy's clock. */
  readonly since: number;
  /** Endpoints on which this client has failed. */
  tried: readonly Endpoint[];
  /** Where the dial under way has got to. */
  route: Route | undefined;
  /** Whether the relay is dialling. */
  dialling: boolean;
  /** What will be dialled, and where the client is held until then. */
  held: { readonly addresses: readonly Address[]; readonly hold: Hold } | undefined;
  /** Why the client is not served so far. */
  error: GatewayError | undefined;
}

const none: readonly Endpoint[] = Object.freeze([]);

/**
 * One client, from accept to close: dials endpoint after endpoint until one answers, then only looks on. What is
 * here exists once for each open connection, so there is little of it.
 */
export class ProxyClient implements ClientEvents, LeaseRequest, LoopClient {
  /** Numbers the connection for observers. */
  readonly id: number;
  readonly #client: RelayClient;
  readonly #context: ClientContext;
  #lease: Lease | undefined;
  #attempt: Attempt | undefined;
  /** It is ending, and at whose wish makes no difference any more; if the pool's, this is why. */
  #ending: boolean | GatewayError = false;

  constructor(id: number, client: RelayClient, context: ClientContext) {
    this.id = id;
    this.#client = client;
    this.#context = context;
    const since = context.clock.now();
    this.#attempt = {
      since,
      tried: none,
      route: undefined,
      dialling: false,
      held: undefined,
      error: undefined,
    };
  }

  get tried(): readonly Endpoint[] {
    return this.#attempt?.tried ?? none;
  }

  get answered(): boolean {
    return !this.#attempt && this.#client.bytesFromBackend > 0;
  }

  get host(): string {
    return this.#client.address.host;
  }

  get isSilent(): boolean {
    return !this.#ending && this.#client.bytesFromBackend === 0;
  }

  /** Begins to serve. */
  start(): void {
    this.#context.loops.accepted(this);
    const { observer } = this.#context;
    if (observer?.accepted)
      notify(observer, "accepted", { connection: this.id, client: this.#client.address });
    if (this.#attempt) this.#advance(this.#attempt);
  }

  /** Ends the connection at once. Tells whether it was the first to do so. */
  abort(): boolean {
    if (this.#ending) return false;
    this.#ending = true;
    if (this.#attempt) this.#attempt.error = new GatewayError("aborted", "the gateway is closing");
    this.#client.abort();
    return true;
  }

  resume(): void {
    const attempt = this.#attempt;
    if (!attempt?.held || this.#ending) return;
    const { addresses } = attempt.held;
    attempt.held = undefined;
    if (attempt.route) this.#dial(attempt, attempt.route, addresses);
  }

  onRevoked(error: GatewayError): void {
    if (this.#ending) return;
    const attempt = this.#attempt;
    if (!attempt) {
      this.#ending = error;
      this.#client.abort();
      return;
    }
    if (attempt.dialling) this.#client.cancelDial();
    this.#endpointFailed(attempt, error);
    this.#advance(attempt);
  }

  connected(address: Address): void {
    const attempt = this.#attempt;
    if (!attempt || !this.#lease || this.#ending) return;
    this.#attempt = undefined;
    attempt.route?.accepted(address);
    this.#lease.connected();
    const { observer, clock } = this.#context;
    if (observer?.connected)
      notify(observer, "connected", {
        connection: this.id,
        endpoint: this.#lease.endpoint,
        address,
        dialMs: clock.now() - attempt.since,
      });
  }

  dialFailed(error: GatewayError): void {
    const attempt = this.#attempt;
    if (!attempt || this.#ending) return;
    if (endsRoute(error)) {
      this.#endpointFailed(attempt, error);
      this.#giveUp(attempt);
    } else {
      attempt.dialling = false;
      attempt.route?.failed(error);
      this.#advance(attempt);
    }
  }

  ended(end: RelayEnd): void {
    const { observer, loops, onEnd } = this.#context;
    const [lease, attempt, why] = [this.#lease, this.#attempt, this.#ending];
    this.#ending = true;
    this.#lease = undefined;
    attempt?.held?.hold.leave(this);
    if (lease) loops.left(this, lease.endpoint);
    if (attempt) lease?.released();
    else lease?.released(end.reason === "backend-failed" ? end.error : undefined, wasAnswered(end));
    if (lease && !attempt) {
      if (observer?.closed) {
        const revoked = end.reason === "aborted" && typeof why === "object" ? { error: why } : {};
        notify(observer, "closed", { connection: this.id, endpoint: lease.endpoint, ...end, ...revoked });
      }
    } else {
      const error = attempt?.error ?? end.error ?? new GatewayError("reset", "the client went away");
      notify(observer, "unserved", { connection: this.id, error });
    }
    onEnd(this);
  }

  /** Goes on to the next address, of the next endpoint where this one has no more. */
  #advance(attempt: Attempt): void {
    try {
      while (!this.#ending) {
        if (!this.#lease && !this.#acquire(attempt)) break;
        const route = attempt.route as Route;
        const addresses = route.next();
        if (addresses) {
          this.#dial(attempt, route, addresses);
          return;
        }
        this.#endpointFailed(attempt, route.error);
      }
      this.#giveUp(attempt);
    } catch (error) {
      attempt.error = GatewayError.from(error, "serve");
      this.#giveUp(attempt);
    }
  }

  #acquire(attempt: Attempt): boolean {
    const { pool, dialer, maxAttempts } = this.#context;
    if (attempt.tried.length >= maxAttempts) {
      attempt.error = attemptsExhausted(maxAttempts, attempt.error);
      return false;
    }
    this.#lease = pool.acquire(this);
    if (this.#lease) attempt.route = dialer.route(this.#lease.endpoint);
    return this.#lease !== undefined;
  }

  #dial(
    attempt: Attempt,
    route: Route,
    addresses: readonly Address[] | Promise<readonly Address[] | undefined>,
  ): void {
    if (!(addresses instanceof Promise)) {
      const { loops, dialer } = this.#context;
      const verdict = loops.admit(this, (this.#lease as Lease).endpoint, addresses, attempt.since);
      if (!verdict) {
        attempt.dialling = true;
        this.#client.dial(addresses, dialer.connectTimeoutMs);
      } else if (verdict instanceof GatewayError) {
        this.#endpointFailed(attempt, verdict);
        this.#advance(attempt);
      } else {
        attempt.held = { addresses, hold: verdict };
      }
      return;
    }
    void addresses.then(found => {
      if (attempt.route !== route || this.#ending) return;
      if (found) this.#dial(attempt, route, found);
      else {
        this.#endpointFailed(attempt, route.error);
        this.#advance(attempt);
      }
    });
  }

  #endpointFailed(attempt: Attempt, error: GatewayError): void {
    const lease = this.#lease as Lease;
    attempt.held?.hold.leave(this);
    this.#context.loops.left(this, lease.endpoint);
    attempt.held = undefined;
    this.#lease = undefined;
    attempt.route = undefined;
    attempt.dialling = false;
    attempt.error = error;
    attempt.tried = [...attempt.tried, lease.endpoint];
    lease.failed(error);
    notify(this.#context.observer, "dialFailed", { connection: this.id, endpoint: lease.endpoint, error });
  }

  #giveUp(attempt: Attempt): void {
    if (this.#ending) return;
    this.#ending = true;
    attempt.error ??= new GatewayError("unreachable", "there are no endpoints");
    this.#client.close();
  }
}

function attemptsExhausted(maxAttempts: number, last: GatewayError | undefined): GatewayError {
  const endpoints = maxAttempts === 1 ? "1 endpoint was tried" : `${maxAttempts} endpoints were tried`;
  const why = last ? `; the last: ${last.detail}` : "";
  return new GatewayError(last?.code ?? "unreachable", `${endpoints}, the most for one client${why}`, {
    cause: last,
  });
}

/** See {@link Lease.released}. */
function wasAnswered(end: RelayEnd): boolean | undefined {
  const { reason, bytesFromClient, bytesFromBackend, endedFirst, error } = end;
  if (bytesFromBackend > 0) return true;
  if (error?.isLocal) return undefined;
  // A client that has asked and ended its output still waits for an answer, and a reset is none.
  const wasReset = reason === "backend-failed" && endedFirst === "client" && bytesFromClient > 0;
  return endedFirst === "backend" || wasReset ? false : undefined;
}
