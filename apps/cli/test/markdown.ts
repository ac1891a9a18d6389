// Reads READMEs in parts that a test can compare with the program.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { published, root } from "./packed.js";

/** All READMEs and pages of docs/, relative to the folder of the repository. */
export const pages: readonly string[] = [
  "README.md",
  ...published.map(({ folder }) => join(folder, "README.md")),
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter(file => file.endsWith(".md"))
    .map(file => join("docs", file))
    .sort(),
];

/** A fenced block of code. */
export interface Block {
  /** File and line. */
  readonly place: string;
  /** The word behind the opening fence, or "". */
  readonly language: string;
  readonly text: string;
}

/** The text of a file of the repository. */
export function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

/** All fenced blocks of a file. */
export function blocksOf(file: string): Block[] {
  const blocks: Block[] = [];
  let open: { readonly line: number; readonly language: string; readonly lines: string[] } | undefined;
  for (const [index, line] of read(file).split("\n").entries()) {
    const fence = /^\s*(?:```|~~~)(.*)$/.exec(line);
    if (!fence) open?.lines.push(line);
    else if (!open) open = { line: index + 1, language: fence[1] ?? "", lines: [] };
    else {
      const text = open.lines.map(line => `${line}\n`).join("");
      blocks.push({ place: `${file}:${open.line}`, language: open.language, text });
      open = undefined;
    }
  }
  if (open) throw new Error(`${file}:${open.line}: the block does not end`);
  return blocks;
}

/** All tables of a file: the cells of each row, heading first, without the row of dashes. */
export function tablesOf(file: string): string[][][] {
  const tables = read(file).match(/(?:^\|.*\|\n)+/gm) ?? [];
  return tables.map(table => {
    const rows = table.trimEnd().split("\n");
    const cells = rows.map(row =>
      row
        .split("|")
        .slice(1, -1)
        .map(cell => cell.trim()),
    );
    return cells.filter(row => !row.every(cell => /^:?-+:?$/.test(cell)));
  });
}

/** The rows of all tables of a file. */
export function rowsOf(file: string): string[][] {
  return tablesOf(file).flat();
}

/** The texts in backticks. */
export function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);
}

/** A text without its backticks. */
export function plain(text: string): string {
  return text.replaceAll("`", "");
}
