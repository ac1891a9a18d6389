import { Lexer } from "yaml";

/** How deep a list of endpoints may be nested; it needs three levels, and a line's parts count as some more. */
const deepest = 50;

/**
 * The offset at which `text` becomes nested deeper than any list of endpoints; undefined where it does not.
 *
 * The composer of `yaml` is recursive, and so many brackets that they exhaust the stack end the whole process
 * (V8 cannot compile a regular expression there, and aborts). Its lexer is not, so it is asked first.
 */
export function tooDeepAt(text: string): number | undefined {
  const columns: number[] = [];
  let flow = 0;
  let offset = 0;
  let lineStart = 0;
  for (const token of new Lexer().lex(text)) {
    if (marks.has(token)) continue;
    if (token === "[" || token === "{") flow += 1;
    else if (token === "]" || token === "}") flow -= 1;
    else if (flow <= 0 && !/^\s*$/.test(token)) {
      const column = offset - lineStart;
      while ((columns.at(-1) ?? -1) >= column) columns.pop();
      columns.push(column);
    }
    if (flow + columns.length > deepest) return offset;
    offset += token.length;
    const newline = token.lastIndexOf("\n");
    if (newline >= 0) lineStart = offset - token.length + newline + 1;
  }
  return undefined;
}

/** Tokens that stand for no text: document, flow error, scalar (see CST in `yaml`). */
const marks: ReadonlySet<string> = new Set(["\u0002", "\u0018", "\u001f"]);
