import type { Sorting } from "./sort.js";
import { sortKeys } from "./sort.js";

/** What keys change. */
export interface Controls {
  readonly sorting: Sorting;
  /** Index of the first row of the table; may be too large. */
  readonly from: number;
  readonly help: boolean;
  readonly paused: boolean;
}

/** What a key asks for besides. */
export type Command = "quit" | "suspend";

/** Sequences of terminals for keys that are no characters. */
const names: { readonly [sequence: string]: string } = {
  "\u001b[A": "up",
  "\u001bOA": "up",
  "\u001b[B": "down",
  "\u001bOB": "down",
  "\u001b[5~": "page up",
  "\u001b[6~": "page down",
  "\u001b[H": "home",
  "\u001bOH": "home",
  "\u001b[1~": "home",
  "\u001b[F": "end",
  "\u001bOF": "end",
  "\u001b[4~": "end",
};

/** The keys in what a terminal sent; sequences of unknown keys are left out. */
export function keysIn(input: string): readonly string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminals send them
  const parts = input.match(/\u001b(?:\[[0-9;?]*[ -/]*[@-~]|O.)|[\s\S]/gu) ?? [];
  return parts.flatMap(part => (part.length > 1 && part.startsWith("\u001b") ? (names[part] ?? []) : part));
}

/** What a key does. `page` is how many rows the table has, `last` the index of the last endpoint. */
export function pressed(
  key: string,
  controls: Controls,
  { page, last }: { readonly page: number; readonly last: number },
): Controls | Command {
  if (key === "\u0003" || key === "q") return "quit";
  if (key === "\u001a") return "suspend";
  if (controls.help) return { ...controls, help: false };
  const column = Object.hasOwn(sortKeys, key) ? sortKeys[key] : undefined;
  if (column !== undefined) {
    const { sorting } = controls;
    const reversed = sorting.column === column && !sorting.reversed;
    return { ...controls, sorting: { column, reversed }, from: 0 };
  }
  const end = Math.max(0, last + 1 - page);
  const scroll = (rows: number): Controls => ({
    ...controls,
    from: Math.max(0, Math.min(end, Math.min(end, controls.from) + rows)),
  });
  switch (key) {
    case "?":
    case "h":
      return { ...controls, help: true };
    case " ":
      return { ...controls, paused: !controls.paused };
    case "r":
      return { ...controls, sorting: { ...controls.sorting, reversed: !controls.sorting.reversed } };
    case "down":
    case "j":
      return scroll(1);
    case "up":
    case "k":
      return scroll(-1);
    case "page down":
      return scroll(Math.max(1, page));
    case "page up":
      return scroll(-Math.max(1, page));
    case "home":
    case "g":
      return scroll(Number.NEGATIVE_INFINITY);
    case "end":
    case "G":
      return scroll(Number.POSITIVE_INFINITY);
    default:
      return controls;
  }
}
