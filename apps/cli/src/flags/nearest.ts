/** Longer names are cut where they are printed, and match nothing; in characters. */
export const maxName = 64;
/** How many characters may differ between a mistake and what was meant. */
const maxDistance = 4;

/** The known name with the fewest characters to change; undefined where all are far. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > maxName) return undefined;
  let best: string | undefined;
  let least = maxDistance + 1;
  for (const candidate of known) {
    const distance =
      Math.abs(candidate.length - name.length) < least ? changesBetween(name, candidate) : least;
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Levenshtein's distance: how many characters to put in, take out or replace. */
function changesBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
