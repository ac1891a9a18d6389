const largeLength = 64 * 1024;
const smallLength = 16 * 1024;

/** How many idle buffers of each length are kept; each that is needed beyond is allocated and dropped again. */
const keptCount = 32;

/**
 * The memory that bytes pass through on their way from one socket to another.
 *
 * All sockets read into one buffer, so that a connection holds none while it is idle. What was read is copied to
 * a second buffer, which is written from; nearly always the system takes all of it at once, and the same buffer
 * serves the next write. When it does not, libuv goes on writing from there: the buffer is lent to that write, and
 * another one takes its place. The copy costs little against what the system copies, and less than a buffer
 * for each read.
 */
export class Buffers {
  /** What sockets read into. Its content is valid only until the callback that tells of it returns. */
  readonly input: Buffer = Buffer.allocUnsafeSlow(largeLength);
  readonly #small = new SizeClass(smallLength);
  readonly #large = new SizeClass(largeLength);

  /** The first `length` bytes of the input, to be written at once: valid until the next call, unless it is lent. */
  forWrite(length: number): Buffer {
    return this.#poolFor(length).fill(this.input, length);
  }

  /** The memory behind what {@link forWrite} returned last, for `length` bytes, is the caller's until it is given back. */
  lend(length: number): Buffer {
    return this.#poolFor(length).lend();
  }

  /** Only when nothing is written from `buffer` any more; one that is not given back is left to the collector. */
  takeBack(buffer: Buffer): void {
    this.#poolFor(buffer.length).takeBack(buffer);
  }

  /** The first `length` bytes of the input, in memory of their own. */
  copy(length: number): Buffer {
    const copied = Buffer.allocUnsafeSlow(length);
    this.input.copy(copied, 0, 0, length);
    return copied;
  }

  #poolFor(length: number): SizeClass {
    return length <= smallLength ? this.#small : this.#large;
  }
}

/** Buffers of one length, of which one is being filled. */
class SizeClass {
  readonly #length: number;
  readonly #idle: Buffer[] = [];
  #current: Buffer;

  constructor(length: number) {
    this.#length = length;
    this.#current = Buffer.allocUnsafeSlow(length);
  }

  fill(from: Buffer, length: number): Buffer {
    from.copy(this.#current, 0, 0, length);
    return this.#current.subarray(0, length);
  }

  lend(): Buffer {
    const lent = this.#current;
    this.#current = this.#idle.pop() ?? Buffer.allocUnsafeSlow(this.#length);
    return lent;
  }

  takeBack(buffer: Buffer): void {
    if (this.#idle.length < keptCount) this.#idle.push(buffer);
  }
}
