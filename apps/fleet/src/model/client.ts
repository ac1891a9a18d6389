import { type Endpoint, GatewayError, type Lease, type LeaseRequest, type Pool } from "@gw/interface";
import type { Random } from "../random.js";
import type { World } from "../world.js";
import type { Member, MemberConnection } from "./member.js";

/** What a client does on its connection, besides an open watch. Times are in milliseconds. */
export interface ClientKind {
  /** Mean time between two requests on which the cluster has to agree; 0 for none. */
  readonly requestEveryMs: number;
  /** Between two keepalive PINGs of HTTP/2; 0 for none. */
  readonly pingEveryMs: number;
}

/** What a client needs of its gateway. */
export interface ClientContext {
  readonly world: World;
  readonly pool: Pool;
  readonly random: Random;
  readonly kind: ClientKind;
  /** Looks up the addresses of a host. */
  readonly lookUp: (host: string) => void;
}

/** A client that waits for an answer longer than this is reported; the default of `--stall-timeout`. */
const stallTimeoutMs = 2_000;
/** How long a client waits at most before it connects again. */
const longestBackoffMs = 1_000;
/** Bytes of a new connection: settings, and the answer to the watch. */
const openingBytes = 200;
const answerBytes = 300;
const pingBytes = 17;
/** An answer that takes longer than this is waited for, in milliseconds. */
const promptMs = 100;

const none: readonly Endpoint[] = Object.freeze([]);

/**
 * A client and its part of the gateway: it keeps a connection open, has requests at times, and connects again up to a
 * second after the connection was closed. It takes a lease for each connection, as the proxy does.
 */
export class Client implements LeaseRequest, MemberConnection {
  tried: readonly Endpoint[] = none;
  bytesFromBackend = 0;
  readonly #context: ClientContext;
  #lease: Lease | undefined;
  /** The member to which it is connected. */
  #member: Member | undefined;
  #answeredAt: number | undefined;
  #waitingSince: number | undefined;
  /** Since when it has not been served, on its last connection and without one. */
  #unservedSince: number | undefined;
  #cancelDial = (): void => {};
  #cancelStall = (): void => {};
  #cancelRequests = (): void => {};
  #cancelPings = (): void => {};

  constructor(context: ClientContext) {
    this.#context = context;
  }

  get answered(): boolean {
    return this.bytesFromBackend > 0;
  }

  get answeredMs(): number | undefined {
    return this.#answeredAt === undefined ? undefined : this.#now - this.#answeredAt;
  }

  get waitingMs(): number | undefined {
    return this.#waitingSince === undefined ? undefined : this.#now - this.#waitingSince;
  }

  /** Where it is connected; undefined if it is not. */
  get member(): Member | undefined {
    return this.#member;
  }

  connect(): void {
    const { opening } = this.#context.pool;
    this.tried = none;
    if (opening) void opening.then(() => this.#dialNext());
    else this.#dialNext();
  }

  onRevoked(error: GatewayError): void {
    if (!this.#member) {
      this.#cancelDial();
      this.#dialFailed(error);
      return;
    }
    this.#context.world.recorder.count(this.#member.isConnected ? "moved" : "lost");
    this.#disconnect();
  }

  ended(how: "shutdown" | "crash"): void {
    this.#context.world.recorder.count("lost");
    this.#disconnect(how === "crash" ? new GatewayError("reset", "connection reset") : undefined);
  }

  serve(): void {
    this.#served();
    this.#receive(answerBytes);
  }

  get #now(): number {
    return this.#context.world.clock.now();
  }

  #dialNext(): void {
    const { world, pool, lookUp } = this.#context;
    const lease = pool.acquire(this);
    this.#lease = lease;
    if (!lease) {
      world.recorder.count("unserved");
      this.#connectLater();
      return;
    }
    const { host } = lease.endpoint;
    lookUp(host);
    this.#cancelDial = world.clock.after(world.network.roundTripMs(), () => {
      const member = world.cluster.at(host);
      if (member.state === "stopped") this.#dialFailed(new GatewayError("refused", "connection refused"));
      else this.#connected(lease, member);
    });
  }

  #dialFailed(error: GatewayError): void {
    const lease = this.#lease;
    if (!lease) return;
    this.#lease = undefined;
    this.tried = [...this.tried, lease.endpoint];
    lease.failed(error);
    this.#dialNext();
  }

  #connected(lease: Lease, member: Member): void {
    const { world, kind, random } = this.#context;
    this.#member = member;
    member.connections.add(this);
    world.recorder.count("connected");
    lease.connected();
    if (world.cluster.serves(member)) this.#served();
    else member.waiting.add(this);
    if (member.state === "running") this.#receive(openingBytes);
    else this.#wait();
    if (kind.requestEveryMs > 0) this.#requestLater(kind.requestEveryMs * random());
    if (kind.pingEveryMs > 0) this.#pingLater(kind.pingEveryMs);
  }

  /** The connection is closed, by the member or by the gateway. */
  #disconnect(failure?: GatewayError): void {
    const member = this.#member as Member;
    this.#unservedSince ??= member.failedSince ?? this.#now;
    member.connections.delete(this);
    member.waiting.delete(this);
    this.#endWait();
    this.#cancelRequests();
    this.#cancelPings();
    this.#lease?.released(failure, this.answered || undefined);
    this.#lease = undefined;
    this.#member = undefined;
    this.bytesFromBackend = 0;
    this.#answeredAt = undefined;
    this.#connectLater();
  }

  #connectLater(): void {
    const { world, random } = this.#context;
    world.clock.after(longestBackoffMs * random(), () => this.connect());
  }

  #requestLater(delayMs: number): void {
    const { world, random, kind } = this.#context;
    this.#cancelRequests = world.clock.tick(delayMs, () => {
      const member = this.#member as Member;
      if (!world.cluster.serves(member)) this.#wait();
      else this.#answerAfter(member, answerBytes);
      this.#requestLater(kind.requestEveryMs * (0.5 + random()));
    });
  }

  #pingLater(delayMs: number): void {
    const { world, kind } = this.#context;
    this.#cancelPings = world.clock.tick(delayMs, () => {
      const member = this.#member as Member;
      if (member.state !== "running") this.#wait();
      else this.#answerAfter(member, pingBytes);
      this.#pingLater(kind.pingEveryMs);
    });
  }

  /** The member answers when it has done what it has to do before. */
  #answerAfter(member: Member, bytes: number): void {
    const { backlogMs } = member;
    if (backlogMs < promptMs) {
      this.#receive(bytes);
      return;
    }
    this.#wait();
    const lease = this.#lease;
    this.#context.world.clock.tick(backlogMs, () => {
      if (this.#lease === lease && member.state === "running") this.serve();
    });
  }

  /** The relay counts any bytes from the member as an answer. */
  #receive(bytes: number): void {
    this.bytesFromBackend += bytes;
    this.#answeredAt = this.#now;
    this.#endWait();
  }

  /** Something was sent to which there is no answer yet. */
  #wait(): void {
    const [member, lease] = [this.#member as Member, this.#lease];
    this.#unservedSince ??= this.#now;
    member.waiting.add(this);
    if (this.#waitingSince !== undefined) return;
    this.#waitingSince = this.#now;
    this.#cancelStall = this.#context.world.clock.after(stallTimeoutMs, () => lease?.stalled?.());
  }

  #endWait(): void {
    this.#waitingSince = undefined;
    this.#cancelStall();
  }

  /** What the client wanted was done, or it could be. */
  #served(): void {
    this.#member?.waiting.delete(this);
    if (this.#unservedSince !== undefined)
      this.#context.world.recorder.outage(this.#now - this.#unservedSince);
    this.#unservedSince = undefined;
  }
}
