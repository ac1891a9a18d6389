/** `value` quoted for a message: one line, no control characters, no password of a URL, not endless. */
export function quote(value: string): string {
  const safe = withoutCredentials(value);
  const short = safe.length > 100 ? `${safe.slice(0, 100)}…` : safe;
  return printable(JSON.stringify(short));
}

/**
 * The text with `…` in place of the user and password of the URLs in it: of everything from the first `//` to the last
 * `@`, so that a password shows in no case, whatever characters it is of. Without `//`, from the first `user:password`.
 */
export function withoutCredentials(text: string): string {
  const to = text.lastIndexOf("@");
  if (to < 0) return text;
  const slashes = text.indexOf("//");
  const from = slashes >= 0 && slashes + 2 <= to ? slashes + 2 : text.search(userAndPassword);
  return from >= 0 ? `${text.slice(0, from)}…${text.slice(to)}` : text;
}

/** At the beginning of a word, and not in the brackets of an IPv6 address. */
const userAndPassword = /(?<![^\s"'=(])[^\s"'=([\]]+:(?!\s)[^@]*@/;

/**
 * The text in one line that shows as it is: `\uXXXX` in place of each character that controls a terminal, ends a line,
 * changes the direction of writing or has no shape, and of what is no character at all. JSON stays the same JSON, except
 * for white space between its values.
 */
export function printable(text: string): string {
  return plainAscii.test(text) ? text : text.replace(unprintable, escaped);
}

/** What needs no closer look, which is nearly everything. */
const plainAscii = /^[ -~]*$/;

const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return units.map(unit => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}
