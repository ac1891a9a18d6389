import type { Socket } from "node:net";
import { type Address, dialRace, formatAddress, GatewayError } from "@gw/interface";
import { type SocketHandler, setHandler } from "./socket-events.js";
import type { Ticker, Ticking } from "./ticker.js";

/** The connection that a dial is for. A dial that is cancelled reports nothing. */
export interface DialOwner {
  /** `socket` is connected to `address`, and belongs to the owner. */
  onDialled(socket: Socket, address: Address): void;
  /** All addresses failed; there is no socket any more. */
  onDialFailed(error: GatewayError): void;
}

/** What all dials of a relay share. */
export interface DialContext {
  /** For dials that are under way. */
  readonly dialTicker: Ticker;
  /** Attempts beside the first of their dial, of all dials. */
  readonly extraAttempts: { count: number };
  /** Starts to connect a socket, which reads as soon as it is connected. */
  readonly connect: (address: Address) => Socket;
}

const none: readonly Attempt[] = [];

/** Connects to the first of some addresses that accepts, within the bounds of {@link dialRace}. */
export class Dial implements Ticking {
  tickerPlace = 0;
  readonly #addresses: readonly Address[];
  readonly #timeoutMs: number;
  readonly #context: DialContext;
  readonly #owner: DialOwner;
  /** Those that are under way, at most {@link dialRace.attemptsAtOnce}. */
  #attempts: readonly Attempt[] = [];
  /** How many of the addresses were dialled, or will not be. */
  #started = 0;
  #nextAtMs = 0;
  #error: GatewayError | undefined;

  constructor(addresses: readonly Address[], timeoutMs: number, context: DialContext, owner: DialOwner) {
    this.#addresses =
      addresses.length > dialRace.addresses ? addresses.slice(0, dialRace.addresses) : addresses;
    this.#timeoutMs = timeoutMs;
    this.#context = context;
    this.#owner = owner;
  }

  start(): void {
    const { dialTicker } = this.#context;
    const several = this.#addresses.length > 1;
    this.#startNext(dialTicker.nowMs);
    dialTicker.add(this, Math.min(this.#timeoutMs, several ? dialRace.attemptDelayMs : Infinity) / 8);
  }

  /** Ends the dial without a report. */
  cancel(): void {
    this.#context.dialTicker.delete(this);
    const attempts = this.#attempts;
    this.#attempts = none;
    this.#context.extraAttempts.count -= Math.max(0, attempts.length - 1);
    for (const attempt of attempts) attempt.cancel();
  }

  tick(nowMs: number): void {
    for (const attempt of this.#attempts) attempt.tick(nowMs);
    if (this.#attempts.length > 0 && nowMs >= this.#nextAtMs) this.#startNext(nowMs);
  }

  /** Called by an attempt. */
  onConnected(attempt: Attempt, socket: Socket): void {
    this.#remove(attempt);
    this.cancel();
    this.#owner.onDialled(socket, attempt.address);
  }

  /** Called by an attempt. */
  onAttemptFailed(attempt: Attempt, error: GatewayError): void {
    this.#remove(attempt);
    const isLocal = error.code === "out-of-resources";
    // An address that was not dialled for want of descriptors may work: no endpoint is at fault.
    if (this.#error?.code !== "out-of-resources") this.#error = error;
    if (isLocal) this.#started = this.#addresses.length;
    this.#startNext(this.#context.dialTicker.nowMs);
    if (this.#attempts.length > 0) return;
    this.cancel();
    this.#owner.onDialFailed(this.#error ?? error);
  }

  #startNext(nowMs: number): void {
    const address = this.#addresses[this.#started];
    const { extraAttempts, connect } = this.#context;
    if (!address || this.#attempts.length >= dialRace.attemptsAtOnce) return;
    if (this.#attempts.length > 0) {
      if (extraAttempts.count >= dialRace.extraAttempts) return;
      extraAttempts.count += 1;
    }
    this.#started += 1;
    this.#nextAtMs = nowMs + dialRace.attemptDelayMs;
    const attempt = new Attempt(address, this.#timeoutMs, this, nowMs);
    this.#attempts = [...this.#attempts, attempt];
    attempt.start(connect);
  }

  #remove(attempt: Attempt): void {
    this.#attempts = this.#attempts.filter(other => other !== attempt);
    if (this.#attempts.length > 0) this.#context.extraAttempts.count -= 1;
  }
}

/** One attempt to connect to one address. */
class Attempt implements SocketHandler {
  readonly address: Address;
  readonly #timeoutMs: number;
  readonly #dueMs: number;
  readonly #dial: Dial;
  #socket: Socket | undefined;
  #over = false;

  /** @param nowMs the time by the ticker, which does not count pauses of this process */
  constructor(address: Address, timeoutMs: number, dial: Dial, nowMs: number) {
    this.address = address;
    this.#timeoutMs = timeoutMs;
    this.#dueMs = nowMs + timeoutMs;
    this.#dial = dial;
  }

  start(connect: (address: Address) => Socket): void {
    try {
      this.#socket = connect(this.address);
      setHandler(this.#socket, this);
    } catch (error) {
      // As for a port that is none. Reported after the call that dials has returned.
      process.nextTick(() => this.onError(error));
    }
  }

  /** Ends the attempt without a report. */
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
    if (isConnectedToItself(socket, this.address.port)) {
      // Nothing listens there, and the kernel gave this socket the port that it was to connect to.
      this.#fail(new GatewayError("refused", `${this}: connection refused (it reached itself)`));
      return;
    }
    this.#over = true;
    this.#dial.onConnected(this, socket);
  }

  onError(error: unknown): void {
    this.#fail(GatewayError.from(error, String(this)));
  }

  /** Without an error before, as when the option `connect` of the relay has destroyed the socket. */
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
    this.#dial.onAttemptFailed(this, error);
  }
}

/** TCP's simultaneous open, of a socket with itself. @param port that it was to connect to */
function isConnectedToItself(socket: Socket, port: number): boolean {
  return socket.localPort === port && socket.localAddress === socket.remoteAddress;
}
