import type { Socket } from "node:net";
import type { Buffers } from "./buffers.js";
import type { KeepAlive } from "./keep-alive.js";
import { forceRead, isReset, resetError } from "./reset-detection.js";
import { handleOf, type SocketHandler, setHandler } from "./socket-events.js";
import type { Ticking } from "./ticker.js";

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

/** What the directions of one listener share. */
export interface DirectionContext {
  readonly buffers: Buffers;
  readonly keepAlive: KeepAlive;
  /** Reads into the shared input, of all directions. */
  readonly reads: { count: number };
}

/** How much is read before there is a socket to write it to. One read more may come on top. */
const earlyLimit = 64 * 1024;

const nothing = Buffer.alloc(0);

/** So many bytes fit into one segment of TCP anywhere, with IPv4 and 20 bytes of options. */
const shortestSegment = 516;

/**
 * One direction of a connection: bytes, and the end of them, are read from one socket and written to the other, no
 * faster than that takes them. It holds one read at most. It handles the events of the socket that it reads from.
 */
export class Direction implements SocketHandler, Ticking {
  tickerPlace = 0;
  /** The side that it reads from. */
  readonly side: "client" | "backend";
  readonly from: Socket;
  /** Bytes read so far. */
  bytes = 0;
  /** Whether the input has ended. */
  eof = false;
  /** Whether bytes wait to be taken by the other side; meanwhile nothing is read. */
  hasPending = false;
  /** Whether the other side was sent all bytes and the end of them. */
  isFinished = false;
  readonly #owner: DirectionOwner;
  readonly #context: DirectionContext;
  #to: Socket | undefined;
  /** Bytes that were read before there was a socket to write them to. */
  #early: Buffer[] | undefined;
  #hasWritten = false;
  /** The number of its last read among all that were into the shared input; undefined if there was none. */
  #lastRead: number | undefined;
  /** The memory of the pending bytes, if it is lent by the buffers. */
  #lent: Buffer | undefined;

  constructor(side: "client" | "backend", from: Socket, owner: DirectionOwner, context: DirectionContext) {
    this.side = side;
    this.from = from;
    this.#owner = owner;
    this.#context = context;
    setHandler(from, this);
    context.keepAlive.add(this);
  }

  /** Writes to `to` from now on, early bytes first. */
  start(to: Socket): void {
    this.#to = to;
    const early = this.#early;
    this.#early = undefined;
    if (early && !this.#write(to, early.length === 1 ? (early[0] as Buffer) : Buffer.concat(early))) return;
    if (this.eof) this.#finish(to);
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

  /** Called by the keepalive. */
  tick(): void {
    const { keepAlive } = this.#context;
    keepAlive.delete(this);
    keepAlive.enable(this.from);
  }

  onInput(length: number): boolean {
    const { buffers, reads } = this.#context;
    reads.count += 1;
    this.#lastRead = reads.count;
    this.bytes += length;
    this.#owner.onRead(this);
    if (!this.#to) return this.#keep(buffers.copy(length));
    if (length < buffers.input.length && this.from.writableEnded) forceRead(this.from);
    if (this.#write(this.#to, buffers.forWrite(length))) return true;
    this.#lent = buffers.lend(length);
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
    if (this.#endMayBeReset && isReset(this.from)) {
      this.#owner.onFailed(this, resetError());
      return;
    }
    this.eof = true;
    this.#owner.onInputEnded(this);
    if (!this.hasPending && this.#to) this.#finish(this.#to);
  }

  onError(error: Error): void {
    this.#owner.onFailed(this, error);
  }

  onClose(): void {
    this.#context.keepAlive.delete(this);
    this.#owner.onClosed(this);
  }

  /**
   * Whether the end may be a reset. libuv reports one as the end only right after the read before it; where another socket
   * was read in between, it has read the end itself, and the system need not be asked.
   */
  get #endMayBeReset(): boolean {
    return this.#lastRead === undefined || this.#lastRead === this.#context.reads.count;
  }

  #keep(chunk: Buffer): boolean {
    this.#early ??= [];
    this.#early.push(chunk);
    return this.bytes < earlyLimit;
  }

  /** Returns whether the system took all of `chunk` at once, so that its memory is free and more can be read. */
  #write(to: Socket, chunk: Buffer): boolean {
    // Nagle's algorithm holds back nothing but a segment that is not full and comes after one without acknowledgement.
    if (this.#hasWritten || chunk.length > shortestSegment) to.setNoDelay(true);
    this.#hasWritten = true;
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
    if (this.#lent) this.#context.buffers.takeBack(this.#lent);
    this.#lent = undefined;
    // libuv cannot reset a socket while a shutdown is under way, so that only what is flushed is shut down.
    if (this.eof) this.#finish(to);
    else this.from.resume();
  }

  #finish(to: Socket): void {
    this.isFinished = true;
    // With both of its directions ended, to close a socket does the same as to shut it down before.
    if (to.readableEnded) to.destroy();
    else to.end();
  }
}
