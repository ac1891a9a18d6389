/**
 * A random number in [0, 1) that follows from a seed, an endpoint and how many were drawn for it: a replay draws the same
 * ones, also where it draws for other endpoints in another order.
 */
export function drawOf(seed: number, endpoint: string, draw: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let index = 0; index < endpoint.length; index++)
    hash = Math.imul(hash ^ endpoint.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ draw, 0x9e3779b1);
  // The finalizer of MurmurHash3.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
