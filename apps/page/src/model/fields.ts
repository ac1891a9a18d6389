/** A value of a message whose fields may be absent, or of another type than this page knows. */
export type Fields = { readonly [field: string]: unknown };

/** The object, or one without fields. */
export function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** The items of a list; none if it is not a list. */
export function items(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string;
export function text(value: unknown, absent: undefined): string | undefined;
export function text(value: unknown, absent: string | undefined = ""): string | undefined {
  return typeof value === "string" ? value : absent;
}

export function number(value: unknown): number;
export function number(value: unknown, absent: undefined): number | undefined;
export function number(value: unknown, absent: number | undefined = 0): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : absent;
}

export function flag(value: unknown): boolean;
export function flag(value: unknown, absent: undefined): boolean | undefined;
export function flag(value: unknown, absent: boolean | undefined = false): boolean | undefined {
  return typeof value === "boolean" ? value : absent;
}

/** One of these words; the first of them for any other value. */
export function oneOf<Word extends string>(value: unknown, words: readonly [Word, ...Word[]]): Word {
  return words.find(word => word === value) ?? words[0];
}
