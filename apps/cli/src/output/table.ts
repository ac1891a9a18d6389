import { printable } from "@gw/interface";
import { cut } from "./bounded.js";

/** Longer cells are cut, in characters. */
const maxCell = 200;

/** Rows below titles, in columns that are as wide as they must be. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [titles, ...rows].map(row => row.map(cell => printable(cut(cell, maxCell))));
  const widths = titles.map((_, column) => Math.max(...cells.map(row => widthOf(row[column] ?? ""))));
  return cells.map(row =>
    row
      .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - widthOf(cell)))
      .join("  ")
      .trimEnd(),
  );
}

const combining = /\p{M}/gu;
/** Characters that take two columns of a terminal. */
const wide =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]/gu;

/** How many columns of a terminal a text takes. */
export function widthOf(text: string): number {
  const base = text.replace(combining, "");
  return [...base].length + (base.match(wide)?.length ?? 0);
}
