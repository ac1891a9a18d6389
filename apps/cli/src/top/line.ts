import { widthOf } from "../output/table.js";
import { fit } from "./format.js";

/** How a part of a line looks on a terminal with colours. */
export type Style = "red" | "yellow" | "green" | "bold" | "dim" | "reverse";

const codes: { readonly [style in Style]: number } = {
  red: 31,
  yellow: 33,
  green: 32,
  bold: 1,
  dim: 2,
  reverse: 7,
};

/** A part of a line; its text is clean. */
export type Span = string | { readonly text: string; readonly style: Style | undefined };

/** A line of the screen. */
export type Line = readonly Span[];

/** The line in at most `width` columns. */
export function lineText(line: Line, width: number, colours: boolean): string {
  let left = width;
  let shown = "";
  for (const span of line) {
    const { text, style } = typeof span === "string" ? { text: span, style: undefined } : span;
    const part = fit(text, left);
    left -= widthOf(part);
    shown += colours && style && part !== "" ? `\u001b[${codes[style]}m${part}\u001b[0m` : part;
    if (left <= 0 || part !== text) break;
  }
  return colours ? shown : shown.trimEnd();
}
