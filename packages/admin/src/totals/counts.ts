/** Counts by label values. Values after the first `limit` different ones are counted as `other`. */
export interface LabelledCounts<Labels extends readonly string[]> {
  add(labels: Labels, by?: number): void;
  entries(): Iterable<{ readonly labels: Labels; readonly count: number }>;
}

/** @param known combinations that are shown from the start, with the count 0 */
export function createLabelledCounts<Labels extends readonly string[]>(
  limit: number,
  known: readonly Labels[] = [],
): LabelledCounts<Labels> {
  const counts = new Map<string, { readonly labels: Labels; count: number }>();
  for (const labels of known) counts.set(labels.join("\n"), { labels, count: 0 });
  return {
    add(labels, by = 1) {
      const key = labels.length === 1 ? (labels[0] as string) : labels.join("\n");
      let entry = counts.get(key);
      if (!entry) {
        if (counts.size >= limit) {
          const other = labels.map(() => "other") as unknown as Labels;
          entry = counts.get(other.join("\n")) ?? { labels: other, count: 0 };
          counts.set(other.join("\n"), entry);
        } else {
          entry = { labels, count: 0 };
          counts.set(key, entry);
        }
      }
      entry.count += by;
    },
    entries: () => counts.values(),
  };
}
