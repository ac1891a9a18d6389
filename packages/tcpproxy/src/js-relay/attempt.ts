import type { Socket } from "node:net";
import { type Address, formatAddress, GatewayError } from "@gw/interface";
import { type Follower, setFollower } from "./follower.js";
import type { Swept } from "./sweep.js";

/** Who is told how an attempt ended; nothing if it was abandoned. */
export interface AttemptOwner {
  /** `socket` is connected, and the owner's to follow. */
  onDialled(attempt: Attempt, socket: Socket): void;
  /** There is no socket any more. */
  onDialFailed(attempt: Attempt, error: GatewayError): void;
}

/** One attempt to connect to one address. */
export class Attempt implements Follower, Swept {
  readonly address: Address;
  readonly #timeoutMs: number;
  readonly #dueMs: number;
  readonly #owner: AttemptOwner;
  #socket: Socket | undefined;
  #over = false;

  /** @param nowMs the time, as {@link sweep} will be told it: a pause of this process does not count */
  constructor(address: Address, timeoutMs: number, owner: AttemptOwner, nowMs: number) {
    this.address = address;
    this.#timeoutMs = timeoutMs;
    this.#dueMs = nowMs + timeoutMs;
    this.#owner = owner;
  }

  start(sockets: { connect(address: Address): Socket }): void {
    try {
      this.#socket = sockets.connect(this.address);
      setFollower(this.#socket, this);
    } catch (error) {
      // As for a port that is none. The owner is not told before it has returned from where it dials.
      process.nextTick(() => this.onError(error));
    }
  }

  /** Ends the attempt without a word. */
  abandon(): void {
    this.#over = true;
    if (!this.#socket) return;
    setFollower(this.#socket, undefined);
    this.#socket.destroy();
  }

  sweep(nowMs: number): void {
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
    this.abandon();
    this.#owner.onDialFailed(this, error);
  }
}

/** TCP's simultaneous open, of a socket with itself. */
function reachesItself(socket: Socket): boolean {
  return socket.localPort === socket.remotePort && socket.localAddress === socket.remoteAddress;
}
