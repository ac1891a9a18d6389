/** A table: a heading, then rows of cells. Cells that are missing at the end of a row are empty. */
export type Rows = readonly (readonly string[])[];

/** A table in Markdown; all columns but the first are aligned to the right. */
export function markdownTable(rows: Rows): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const width = rows[0]?.length ?? 0;
  const padded = rows.map(row => [...row, ...Array<string>(width - row.length).fill("")]);
  const [heading = [], ...body] = padded;
  const rule = heading.map((_, column) => (column === 0 ? "---" : "--:"));
  return [line(heading), line(rule), ...body.map(line)].join("\n");
}

/**
 * `text` with `content` between the lines `<!-- name:start -->` and `<!-- name:end -->`; unchanged if it has none of that
 * name.
 */
export function betweenMarkers(text: string, name: string, content: string): string {
  const marker = `<!-- ${name}:start -->`;
  const [start, end] = [text.indexOf(marker), text.indexOf(`<!-- ${name}:end -->`)];
  if (start < 0 || end < start) return text;
  return `${text.slice(0, start + marker.length)}\n\n${content}\n\n${text.slice(end)}`;
}

/** Three significant digits, with thousands separators. */
export function number(value: number): string {
  const magnitude = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  const digits = Math.max(0, Math.min(2, 2 - magnitude));
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
