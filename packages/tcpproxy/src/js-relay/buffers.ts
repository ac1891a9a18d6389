const largeLength = 64 * 1024;
const smallLength = 16 * 1024;

/** How many idle buffers of each length are kept; more are allocated and dropped as needed. */
const keptCount = 32;

/**
 * The memory that bytes pass through on their way from one socket to another.
 *
 * All sockets read into one buffer, so that an idle connection holds none. What was read is copied to a second buffer
 * and written from there. Nearly always the system takes all of it at once, and the same buffer serves the next write.
 * When it does not, libuv writes the rest from there later: the buffer is lent to that write, and another takes its
 * place. The copy costs little against what the system copies, and less than a buffer for each read.
 */
export class Buffers {
  /** What sockets read into. Its content is valid only until the callback that reports it returns. */
  readonly input: Buffer = Buffer.allocUnsafeSlow(largeLength);
  readonly #small = new SizeClass(smallLength);
  readonly #large = new SizeClass(largeLength);

  /** The first `length` bytes of the input, to be written at once: valid until the next call, unless it is lent. */
  forWrite(length: number): Buffer {
    return this.#sizeClassOf(length).fill(this.input, length);
  }

  /** Lends the memory that the last {@link forWrite}, of `length` bytes, returned until it is taken back. */
  lend(length: number): Buffer {
    return this.#sizeClassOf(length).lend();
  }

  /**
   * Takes back what was lent, when nothing is written from it any more. A buffer that is never returned is left to the
   * garbage collector.
   */
  takeBack(buffer: Buffer): void {
    this.#sizeClassOf(buffer.length).takeBack(buffer);
  }

  /** The first `length` bytes of the input, in memory of their own. */
  copy(length: number): Buffer {
    const copied = Buffer.allocUnsafe(length);
    this.input.copy(copied, 0, 0, length);
    return copied;
  }

  #sizeClassOf(length: number): SizeClass {
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
