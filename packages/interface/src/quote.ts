/** `value` quoted for a message: one line, no control characters, no password of a URL, not endless. */
export function quote(value: string): string {
  const safe = withoutCredentials(value);
  const short = safe.length > 100 ? `${safe.slice(0, 100)}…` : safe;
  return JSON.stringify(short).replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, unprintable);
}

/**
 * The text with `…` in place of the user and password of the URLs in it: of everything from the first `//` to the last
 * `@`, so that a password shows in no case, whatever characters it is of.
 */
export function withoutCredentials(text: string): string {
  const from = text.indexOf("//") + 2;
  const to = text.lastIndexOf("@");
  return from >= 2 && to >= from ? `${text.slice(0, from)}…${text.slice(to)}` : text;
}

function unprintable(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
