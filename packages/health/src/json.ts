/** Something that was written as an object in JSON. */
export interface JsonObject {
  readonly [key: string]: unknown;
}

/** The object that `text` is; undefined if it is none. */
export function objectIn(text: string): JsonObject | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null ? (value as JsonObject) : undefined;
}
