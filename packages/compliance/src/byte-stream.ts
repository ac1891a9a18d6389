import { createCipheriv } from "node:crypto";

/** A prime, so that whatever is lost, doubled or out of place shifts all that comes after it. */
const blockLength = 1_048_573;
let block: Buffer | undefined;

/**
 * Endless bytes that look random, the same for the same seed. Any part of them can be had or compared at once,
 * without what comes before it.
 */
export class ByteStream {
  readonly #start: number;

  constructor(seed: number) {
    this.#start = Math.imul(seed, 0x9e3779b1) >>> 0;
  }

  /** At most `length` bytes from `position` on, and at least one. Not a copy: to be read only. */
  at(position: number, length: number): Buffer {
    const from = (this.#start + position) % blockLength;
    return bytes().subarray(from, from + length);
  }

  /** The index of the first byte of `chunk` that is not what stands at `position` and after it. */
  mismatch(position: number, chunk: Buffer): number | undefined {
    for (let index = 0; index < chunk.length; ) {
      const expected = this.at(position + index, chunk.length - index);
      const given = chunk.subarray(index, index + expected.length);
      if (!expected.equals(given)) return index + expected.findIndex((byte, at) => byte !== given[at]);
      index += expected.length;
    }
    return undefined;
  }
}

function bytes(): Buffer {
  block ??= createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16)).update(
    Buffer.alloc(blockLength),
  );
  return block;
}
