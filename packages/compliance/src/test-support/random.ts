import { createCipheriv } from "node:crypto";

/** Numbers in [0, 1), always the same for one seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `items` in random order. */
export function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  return items
    .map(item => ({ item, rank: random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}

/** A prime, so that a byte that is lost, doubled or out of place shifts all that follow. */
const blockLength = 1_048_573;
let block: Buffer | undefined;

/**
 * Endless pseudo-random bytes, the same for the same seed. Any part can be read or compared without the bytes
 * before it.
 */
export class ByteStream {
  readonly #start: number;

  constructor(seed: number) {
    this.#start = Math.imul(seed, 0x9e3779b1) >>> 0;
  }

  /** Between 1 and `length` bytes from `position` on. A view, not a copy: do not write to it. */
  at(position: number, length: number): Buffer {
    const from = (this.#start + position) % blockLength;
    return bytes().subarray(from, from + length);
  }

  /** The index of the first byte of `chunk` that differs from the stream at `position`. */
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
