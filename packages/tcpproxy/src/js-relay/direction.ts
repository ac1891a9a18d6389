import type { Socket } from "node:net";
import type { Buffers } from "./buffers.js";
import { forceRead, isReset, resetError } from "./reset-detection.js";
import { handleOf, type SocketHandler, setHandler } from "./socket-events.js";

/** The connection that a direction is part of. */
export interface DirectionOwner {
  /** Bytes were read, and counted. */
  onRead(direction: Direction): void;
  /** The side that `direction` reads from has ended its output. */
  onInputEnded(direction: Direction): void;
  /** The socket that `direction` reads from failed; `onClosed` follows. */
  onFailed(direction: Direction, error: Error): void;
  /** The socket that `direction` reads from is closed. */
  onClosed(direction: Direction): void;
}

/** How much is read before there is a socket to write it to. One read more may come on top. */
const earlyLimit = 64 * 1024;

const nothing = Buffer.alloc(0);

/**
 * One direction of a connection: bytes, and the end of them, are read from one socket and written to the other, no
 * faster than that takes them. It holds one read at most. It handles the events of the socket that it reads from.
 */
export class Direction implements SocketHandler {
  /** The side that it reads from. */
  readonly side: "client" | "backend";
  readonly from: Socket;
  /** Bytes read so far. */
  bytes = 0;
  /** Whether the input has ended. */
  eof = false;
  /** Whether bytes wait to be taken by the other side; meanwhile nothing is read. */
  hasPending = false;
  readonly #owner: DirectionOwner;
  readonly #buffers: Buffers;
  #to: Socket | undefined;
  /** Bytes that were read before there was a socket to write them to. */
  #early: Buffer[] | undefined;
  /** The memory of the pending bytes, if it is lent by the buffers. */
  #lent: Buffer | undefined;

  constructor(side: "client" | "backend", from: Socket, owner: DirectionOwner, buffers: Buffers) {
    this.side = side;
    this.from = from;
    this.#owner = owner;
    this.#buffers = buffers;
    setHandler(from, this);
  }

  /** Writes to `to` from now on, early bytes first. */
  start(to: Socket): void {
    this.#to = to;
    const early = this.#early;
    this.#early = undefined;
    if (early && !this.#write(to, Buffer.concat(early))) return;
    if (this.eof) to.end();
    else if (this.bytes >= earlyLimit) this.from.resume();
  }

  /** How many bytes wait to be taken by the other side. */
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
    this.#owner.onRead(this);
    if (!this.#to) return this.#keep(this.#buffers.copy(length));
    if (length < this.#buffers.input.length && this.from.writableEnded) forceRead(this.from);
    if (this.#write(this.#to, this.#buffers.forWrite(length))) return true;
    this.#lent = this.#buffers.lend(length);
    return false;
  }

  onChunk(chunk: Buffer): boolean {
    this.bytes += chunk.length;
    this.#owner.onRead(this);
    if (!this.#to) return this.#keep(chunk);
    if (this.from.writableEnded) forceRead(this.from);
    return this.#write(this.#to, chunk);
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

  /** Returns whether the system took all of `chunk` at once, so that its memory is free and more can be read. */
  #write(to: Socket, chunk: Buffer): boolean {
    to.write(chunk);
    if (to.writableLength === 0) return true;
    this.hasPending = true;
    // An empty write is complete when the pending bytes before it are taken.
    to.write(nothing, error => {
      if (!error) this.#flushed(to);
    });
    return false;
  }

  #flushed(to: Socket): void {
    this.hasPending = false;
    if (this.#lent) this.#buffers.takeBack(this.#lent);
    this.#lent = undefined;
    // libuv cannot reset a socket while a shutdown is under way, so that only what is flushed is shut down.
    if (this.eof) to.end();
    else this.from.resume();
  }
}
