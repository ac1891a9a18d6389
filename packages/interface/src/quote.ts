/** `value` quoted for a message: one line, without control characters and URL passwords, and truncated to 100 characters. */
export function quote(value: string): string {
  const safe = withoutCredentials(value);
  const short = safe.length > 100 ? `${safe.slice(0, 100)}…` : safe;
  return printable(JSON.stringify(short));
}

/**
 * Replaces the user and password of URLs by `…`: all text from the first `//` to the last `@`, so that no part of a
 * password is shown, whatever characters it has. Without `//`, from the first `user:password`.
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
 * Makes text safe to print in one line: replaces each character that controls a terminal, ends a line, changes the writing
 * direction or is invisible, and each invalid one, by `\uXXXX`. JSON keeps its meaning, except for white space between its
 * values.
 */
export function printable(text: string): string {
  if (plainAscii.test(text)) return text;
  // Made when it is needed first, which takes a millisecond, and is so in few processes.
  unprintable ??= /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
  return text.replace(unprintable, escaped);
}

/** Nearly all texts: they need no replacement. */
const plainAscii = /^[ -~]*$/;

let unprintable: RegExp | undefined;

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return units.map(unit => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}
