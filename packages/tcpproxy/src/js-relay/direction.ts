import type { Socket } from "node:net";
import type { Buffers } from "./buffers.js";
import { forceRead, isReset, resetError } from "./reset-detection.js";
import { handleOf, type SocketHandler, setHandler } from "./socket-events.js";

/** Who is told how the sockets of its flows fare. */
export interface DirectionOwner {
  /** The input of `flow` has ended. */
  onInputEnded(flow: Direction): void;
  /** The socket that `flow` comes from failed; `onClosed` follows. */
  onFailed(flow: Direction, error: Error): void;
  /** The socket that `flow` comes from is closed. */
  onClosed(flow: Direction): void;
}

/** How much is read before there is somewhere to send it. One read more may come on top. */
const earlyLimit = 64 * 1024;

const nothing = Buffer.alloc(0);

/**
 * One direction of a connection: passes on bytes and the end of them, no faster than they are taken. What it holds is
 * one read at most. It follows the socket that it comes from.
 */
export class Direction implements SocketHandler {
  readonly from: Socket;
  /** Bytes read so far. */
  bytes = 0;
  /** Whether the input has ended. */
  eof = false;
  /** Whether bytes wait to be taken; meanwhile nothing is read. */
  hasPending = false;
  readonly #owner: DirectionOwner;
  readonly #staging: Buffers;
  #to: Socket | undefined;
  /** What came before there was somewhere to send it. */
  #early: Buffer[] | undefined;
  /** The memory that they wait in, if it is the staging's. */
  #lent: Buffer | undefined;

  constructor(from: Socket, owner: DirectionOwner, staging: Buffers) {
    this.from = from;
    this.#owner = owner;
    this.#staging = staging;
    setHandler(from, this);
  }

  /** From now on bytes go to `to`, those first that came before. */
  start(to: Socket): void {
    this.#to = to;
    const early = this.#early;
    this.#early = undefined;
    if (early && !this.#pass(to, Buffer.concat(early))) return;
    if (this.eof) to.end();
    else if (this.bytes >= earlyLimit) this.from.resume();
  }

  /** Bytes that wait to be taken. */
  get pendingBytes(): number {
    if (!this.hasPending || !this.#to) return 0;
    return handleOf(this.#to)?.writeQueueSize ?? this.#to.writableLength;
  }

  /** Finds out whether a socket that is not read from has been reset. */
  checkForReset(): void {
    if ((this.hasPending || this.eof || !this.#to) && isReset(this.from))
      this.#owner.onFailed(this, resetError());
  }

  onInput(length: number): boolean {
    this.bytes += length;
    if (!this.#to) return this.#keep(this.#staging.copy(length));
    if (length < this.#staging.input.length && this.from.writableEnded) forceRead(this.from);
    if (this.#pass(this.#to, this.#staging.forWrite(length))) return true;
    this.#lent = this.#staging.lend(length);
    return false;
  }

  onChunk(chunk: Buffer): boolean {
    this.bytes += chunk.length;
    if (!this.#to) return this.#keep(chunk);
    if (this.from.writableEnded) forceRead(this.from);
    return this.#pass(this.#to, chunk);
  }

  onEnd(): void {
    if (isReset(this.from)) {
      this.#owner.onFailed(this, resetError());
      return;
    }
    this.eof = true;
    this.#owner.onInputEnded(this);
    if (!this.hasPending) this.#to?.end();
  }

  onError(error: Error): void {
    this.#owner.onFailed(this, error);
  }

  onClose(): void {
    this.#owner.onClosed(this);
  }

  #keep(chunk: Buffer): boolean {
    this.#early ??= [];
    this.#early.push(chunk);
    return this.bytes < earlyLimit;
  }

  /** Returns whether all of `chunk` was taken at once, so that its memory is free and more can be read. */
  #pass(to: Socket, chunk: Buffer): boolean {
    to.write(chunk);
    if (to.writableLength === 0) return true;
    this.hasPending = true;
    // It comes after the bytes that wait, and so tells when they are taken.
    to.write(nothing, error => {
      if (!error) this.#flushed(to);
    });
    return false;
  }

  #flushed(to: Socket): void {
    this.hasPending = false;
    if (this.#lent) this.#staging.takeBack(this.#lent);
    this.#lent = undefined;
    // libuv cannot reset a socket while a shutdown is under way, so that only what is flushed is shut down.
    if (this.eof) to.end();
    else this.from.resume();
  }
}
