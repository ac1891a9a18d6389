/** Counts values by size, as a Prometheus histogram does. */
export interface Histogram {
  /** The upper limits of all buckets but the last, which has none. Ascending. */
  readonly bounds: readonly number[];
  /** Of all values. */
  readonly sum: number;
  readonly count: number;
  /** Negative values count as 0. */
  add(value: number): void;
  /** How many values were at most `bounds[i]`; one more item than `bounds`, which is the number of all values. */
  cumulated(): readonly number[];
}

export function createHistogram(bounds: readonly number[]): Histogram {
  const counts = new Float64Array(bounds.length + 1);
  let sum = 0;
  let count = 0;
  return {
    bounds,
    get sum() {
      return sum;
    },
    get count() {
      return count;
    },
    add(value) {
      const positive = Math.max(value, 0);
      let bucket = 0;
      while (bucket < bounds.length && positive > (bounds[bucket] as number)) bucket++;
      counts[bucket] = (counts[bucket] as number) + 1;
      sum += positive;
      count++;
    },
    cumulated() {
      let all = 0;
      return Array.from(counts, own => {
        all += own;
        return all;
      });
    },
  };
}
