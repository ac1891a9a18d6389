import {
  type Address,
  type ClientEvents,
  type Clock,
  type EndCause,
  type Endpoint,
  GatewayError,
  type Lease,
  type LeaseRequest,
  notify,
  type RelayClient,
  type RelayEnd,
} from "@gw/interface";
import { closedEvent, type EndedClient, observedAddress, unservedEvent } from "./client-events.js";
import { Dialling, type DiallingClient, type DiallingContext } from "./dialling.js";
import type { LoopClient } from "./loop-check.js";
import type { StockedDial } from "./stock.js";

/** What the clients of a listener share. */
export interface ClientContext extends DiallingContext {
  /** Where they are accepted. It has its name before the first of them comes. */
  readonly listener: { readonly name: string };
  /** A client that leaves after it has been waiting for an answer for this long, in milliseconds, gave up. */
  readonly abandonedMs: number;
  readonly clock: Clock;
  /** Called once for each client, when it and its backend are closed; never from within `start`. */
  readonly onEnd: (client: ProxyClient) => void;
}

/** The longest time for a dial that is kept, in microseconds: it stays a small integer. */
const longestDialUs = 2 ** 31 - 1;

const none: readonly Endpoint[] = Object.freeze([]);

/**
 * One client, from accept to close: it is dialled for ({@link Dialling}); once it is connected the relay does the work.
 * There is one for each open connection, so it is small. Its times are small integers, for which V8 allocates nothing on
 * the heap.
 */
export class ProxyClient implements ClientEvents, LeaseRequest, LoopClient, DiallingClient, EndedClient {
  /** The number of the connection in events. */
  readonly id: number;
  loopPlace = 0;
  /** The place of the client among those of its proxy. */
  proxyPlace = 0;
  readonly #client: RelayClient;
  readonly #context: ClientContext;
  /** Its address, if an observer is to have it. */
  readonly observedAddress: Address | undefined;
  /** Until the client is connected. */
  #dialling: Dialling | undefined;
  /** Once it is. */
  #lease: Lease | undefined;
  /** When the client was accepted, on the proxy's clock: whole seconds, and the microseconds that remain. */
  #sinceS = 0;
  #sinceUs = 0;
  /** From accept to connection, in microseconds. */
  #dialUs = 0;
  /** How many endpoints were tried until it was connected. */
  #tries = 0;
  /** Whether the client is ending already, and why if the pool or the operator ended its connection. */
  #ending: boolean | GatewayError = false;

  constructor(id: number, client: RelayClient, context: ClientContext) {
    this.id = id;
    this.#client = client;
    this.#context = context;
    this.observedAddress = observedAddress(client, context.observer);
    const sinceMs = context.clock.now();
    this.#acceptedAt(sinceMs);
    this.#dialling = new Dialling(this, client, context, sinceMs);
  }

  get tried(): readonly Endpoint[] {
    return this.#dialling?.tried ?? none;
  }

  get answered(): boolean {
    return !this.#dialling && this.#client.bytesFromBackend > 0;
  }

  get bytesFromClient(): number {
    return this.#client.bytesFromClient;
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

  /** Its `host` is empty if it was not observed and has left. */
  get address(): Address {
    return this.observedAddress ?? this.#client.address;
  }

  get host(): string {
    return this.address.host;
  }

  get listener(): string {
    return this.#context.listener.name;
  }

  get isConnected(): boolean {
    return !this.#dialling;
  }

  /** The endpoint that serves it, or is tried now. */
  get endpoint(): Endpoint | undefined {
    return this.#dialling ? this.#dialling.endpoint : this.#lease?.endpoint;
  }

  get ageMs(): number {
    return Math.max(0, this.#context.clock.now() - this.#sinceS * 1000 - this.#sinceUs / 1000);
  }

  get isSilent(): boolean {
    return !this.#ending && this.#client.bytesFromBackend === 0;
  }

  get isEnding(): boolean {
    return this.#ending !== false;
  }

  /** Begins to dial; with a dial of the stock for the endpoint that was picked then. */
  start(stocked: StockedDial | undefined): void {
    this.#accepted();
    this.#dialling?.start(stocked);
  }

  /** The relay has begun this dial of the stock already. */
  startDialled(stocked: StockedDial): void {
    this.#accepted();
    this.#dialling?.startDialled(stocked);
  }

  #accepted(): void {
    const { observer, loops } = this.#context;
    loops.accepted(this);
    if (observer?.accepted) notify(observer, "accepted", { connection: this.id, client: this.address });
  }

  /** Resets the client and its backend, because the proxy closes. Returns false if it was ending already. */
  abort(): boolean {
    return this.#abort("the gateway is closing");
  }

  /** Resets the client and its backend, because the operator wants it. Returns false if it was ending already. */
  kill(): boolean {
    return this.#abort("closed by the operator", "killed");
  }

  /** @param cause @default the proxy closes */
  #abort(why: string, cause?: EndCause): boolean {
    if (this.#ending) return false;
    // At the end of the process there may be thousands, and an error takes a while to make.
    const error = cause || this.#dialling ? new GatewayError("aborted", why, { cause }) : undefined;
    this.#ending = (cause && error) ?? true;
    if (this.#dialling && error) this.#dialling.error = error;
    this.#client.abort();
    return true;
  }

  giveUp(): void {
    this.#ending = true;
    this.#client.close();
  }

  resume(): void {
    this.#dialling?.resume();
  }

  onRevoked(error: GatewayError): void {
    if (this.#ending) return;
    if (this.#dialling) this.#dialling.revoked(error);
    else {
      this.#ending = error;
      this.#client.abort();
    }
  }

  connected(address: Address, tookMs?: number): void {
    const dialling = this.#dialling;
    if (!dialling || this.#ending) return;
    const lease = dialling.connected(address);
    if (!lease) return;
    this.#tries = dialling.tries;
    this.#dialling = undefined;
    this.#lease = lease;
    const dialMs = this.#connectedAfter(tookMs, dialling.sinceMs);
    lease.connected();
    const { observer } = this.#context;
    if (observer?.connected)
      notify(observer, "connected", { connection: this.id, endpoint: lease.endpoint, address, dialMs });
  }

  dialFailed(error: GatewayError): void {
    if (!this.#ending) this.#dialling?.failed(error);
  }

  stalled(): void {
    if (this.#ending || !this.#lease) return;
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
    const { observer, onEnd } = this.#context;
    const [dialling, lease, ending] = [this.#dialling, this.#lease, this.#ending];
    this.#ending = true;
    if (dialling) {
      const { tries } = dialling;
      dialling.ended();
      const error = dialling.error ?? end.error ?? new GatewayError("reset", "the client went away");
      if (observer?.unserved) notify(observer, "unserved", unservedEvent(this, tries, error, end.reason));
    } else if (lease) {
      this.#lease = undefined;
      this.#release(lease, end);
      if (observer?.closed) {
        const [tries, dialMs] = [this.#tries, this.#dialUs / 1000];
        const cause = typeof ending === "object" ? ending : undefined;
        notify(
          observer,
          "closed",
          closedEvent(this, { endpoint: lease.endpoint, tries, dialMs }, end, cause),
        );
      }
    }
    onEnd(this);
  }

  #release(lease: Lease, end: RelayEnd): void {
    const { loops, abandonedMs } = this.#context;
    loops.left(this, lease.endpoint);
    if (end.waitedMs !== undefined && end.waitedMs >= abandonedMs) lease.abandoned?.();
    lease.released(end.reason === "backend-failed" ? end.error : undefined, wasAnswered(end));
  }

  #acceptedAt(ms: number): void {
    this.#sinceS = Math.floor(ms / 1000);
    this.#sinceUs = Math.floor((ms - this.#sinceS * 1000) * 1000);
  }

  /**
   * Keeps how long the dial took, and returns it in milliseconds.
   *
   * @param tookMs as measured by the relay, for a dial of the stock: then the client was accepted before it was reported
   * @param reportedAtMs when it was reported
   */
  #connectedAfter(tookMs: number | undefined, reportedAtMs: number): number {
    const nowMs = this.#context.clock.now();
    if (tookMs !== undefined && nowMs - tookMs < reportedAtMs) this.#acceptedAt(nowMs - tookMs);
    const us = Math.round((tookMs ?? nowMs - reportedAtMs) * 1000);
    this.#dialUs = Math.max(0, Math.min(us, longestDialUs));
    return this.#dialUs / 1000;
  }
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
