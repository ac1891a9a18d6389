import type { Socket } from "node:net";
import { type Address, dialRace, formatAddress, GatewayError } from "@gw/interface";
import { type SocketHandler, setHandler } from "./socket-events.js";
import type { Ticker, Ticking } from "./ticker.js";

/** Who is told how a race ended; nothing if it was abandoned. */
export interface DialOwner {
  /** `socket` is connected to `address`, and the owner's to follow. */
  onDialled(socket: Socket, address: Address): void;
  /** All addresses failed; there is no socket any more. */
  onDialFailed(error: GatewayError): void;
}

/** What all races of a relay share. */
export interface DialContext {
  /** Of dials that are under way. */
  readonly dials: Ticker;
  /** Attempts beside the first of their race, of all races. */
  readonly extra: { count: number };
  /** Starts to connect a socket, which reads as soon as it is connected. */
  connect(address: Address): Socket;
}

/** One dial: connects to the first of some addresses that accepts, as {@link dialRace} says. */
export class Dial implements AttemptOwner, Ticking {
  readonly #addresses: readonly Address[];
  readonly #timeoutMs: number;
  readonly #track: DialContext;
  readonly #owner: DialOwner;
  readonly #live = new Set<Attempt>();
  /** How many of the addresses were dialled, or will not be. */
  #started = 0;
  #nextAtMs = 0;
  #error: GatewayError | undefined;

  constructor(addresses: readonly Address[], timeoutMs: number, track: DialContext, owner: DialOwner) {
    this.#addresses =
      addresses.length > dialRace.addresses ? addresses.slice(0, dialRace.addresses) : addresses;
    this.#timeoutMs = timeoutMs;
    this.#track = track;
    this.#owner = owner;
  }

  start(): void {
    const { dials } = this.#track;
    const several = this.#addresses.length > 1;
    this.#startNext(dials.nowMs);
    dials.add(this, Math.min(this.#timeoutMs, several ? dialRace.attemptDelayMs : Infinity) / 8);
  }

  /** Ends the race without a word. */
  cancel(): void {
    this.#track.dials.delete(this);
    this.#track.extra.count -= Math.max(0, this.#live.size - 1);
    for (const attempt of this.#live) attempt.cancel();
    this.#live.clear();
  }

  tick(nowMs: number): void {
    for (const attempt of this.#live) attempt.tick(nowMs);
    if (this.#live.size > 0 && nowMs >= this.#nextAtMs) this.#startNext(nowMs);
  }

  onDialled(attempt: Attempt, socket: Socket): void {
    this.#lose(attempt);
    this.cancel();
    this.#owner.onDialled(socket, attempt.address);
  }

  onDialFailed(attempt: Attempt, error: GatewayError): void {
    this.#lose(attempt);
    const isLocal = error.code === "out-of-resources";
    // What was not dialled for want of descriptors may work: no endpoint is to blame.
    if (this.#error?.code !== "out-of-resources") this.#error = error;
    if (isLocal) this.#started = this.#addresses.length;
    this.#startNext(this.#track.dials.nowMs);
    if (this.#live.size > 0) return;
    this.cancel();
    this.#owner.onDialFailed(this.#error ?? error);
  }

  #startNext(nowMs: number): void {
    const address = this.#addresses[this.#started];
    const { extra } = this.#track;
    if (!address || this.#live.size >= dialRace.attemptsAtOnce) return;
    if (this.#live.size > 0) {
      if (extra.count >= dialRace.extraAttempts) return;
      extra.count += 1;
    }
    this.#started += 1;
    this.#nextAtMs = nowMs + dialRace.attemptDelayMs;
    const attempt = new Attempt(address, this.#timeoutMs, this, nowMs);
    this.#live.add(attempt);
    attempt.start(this.#track);
  }

  #lose(attempt: Attempt): void {
    this.#live.delete(attempt);
    if (this.#live.size > 0) this.#track.extra.count -= 1;
  }
}

/** Who is told how an attempt ended; nothing if it was abandoned. */
interface AttemptOwner {
  /** `socket` is connected, and the owner's to follow. */
  onDialled(attempt: Attempt, socket: Socket): void;
  /** There is no socket any more. */
  onDialFailed(attempt: Attempt, error: GatewayError): void;
}

/** One attempt to connect to one address. */
class Attempt implements SocketHandler, Ticking {
  readonly address: Address;
  readonly #timeoutMs: number;
  readonly #dueMs: number;
  readonly #owner: AttemptOwner;
  #socket: Socket | undefined;
  #over = false;

  /** @param nowMs the time, as {@link tick} will be told it: a pause of this process does not count */
  constructor(address: Address, timeoutMs: number, owner: AttemptOwner, nowMs: number) {
    this.address = address;
    this.#timeoutMs = timeoutMs;
    this.#dueMs = nowMs + timeoutMs;
    this.#owner = owner;
  }

  start(sockets: { connect(address: Address): Socket }): void {
    try {
      this.#socket = sockets.connect(this.address);
      setHandler(this.#socket, this);
    } catch (error) {
      // As for a port that is none. The owner is not told before it has returned from where it dials.
      process.nextTick(() => this.onError(error));
    }
  }

  /** Ends the attempt without a word. */
  cancel(): void {
    this.#over = true;
    if (!this.#socket) return;
    setHandler(this.#socket, undefined);
    this.#socket.destroy();
  }

  tick(nowMs: number): void {
    if (nowMs >= this.#dueMs)
      this.#fail(new GatewayError("timed-out", `${this}: no answer within ${this.#timeoutMs} ms`));
  }

  onConnect(): void {
    const socket = this.#socket;
    if (!socket) return;
    if (reachesItself(socket)) {
      // The kernel gave it the port that it was to connect to, since nobody listened there.
      this.#fail(new GatewayError("refused", `${this}: connection refused (it reached itself)`));
      return;
    }
    this.#over = true;
    this.#owner.onDialled(this, socket);
  }

  onError(error: unknown): void {
    this.#fail(GatewayError.from(error, String(this)));
  }

  /** Without an error before, as when another has destroyed the socket. */
  onClose(): void {
    this.#fail(new GatewayError("unknown", `${this}: the socket was closed`));
  }

  onInput(): boolean {
    return false;
  }

  onChunk(): boolean {
    return false;
  }

  onEnd(): void {}

  toString(): string {
    return `dial ${formatAddress(this.address)}`;
  }

  #fail(error: GatewayError): void {
    if (this.#over) return;
    this.cancel();
    this.#owner.onDialFailed(this, error);
  }
}

/** TCP's simultaneous open, of a socket with itself. */
function reachesItself(socket: Socket): boolean {
  return socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress;
}
