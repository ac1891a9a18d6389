import { messageOf } from "@gw/interface";

/** Longer texts are cut, in characters. */
const maxText = 1_000;
/** How many characters all values of one log line may have together. */
const maxFields = 32 * 1024;
/** Deeper values are omitted. */
const maxDepth = 8;

/** `text`, or as much of it as a line may have. */
export function cut(text: string, most: number = maxText): string {
  if (text.length <= most) return text;
  // Half a pair is no character.
  const end = /[\ud800-\udbff]/.test(text.charAt(most - 1)) ? most - 1 : most;
  return `${text.slice(0, end)}…`;
}

/** The same values with long texts cut. Lists that are too long together end with the number of omitted entries. */
export function bounded(fields: object, budget: number = maxFields): Record<string, unknown> {
  const left = { characters: budget };
  return boundedObject(fields, left, 0);
}

interface Left {
  characters: number;
}

function boundedObject(fields: object, left: Left, depth: number): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    const key = cut(name, 100);
    left.characters -= key.length + 4;
    if (left.characters < 0) break;
    kept[key] = boundedValue(value, left, depth + 1);
  }
  return kept;
}

function boundedValue(value: unknown, left: Left, depth: number): unknown {
  if (typeof value === "string") {
    const text = cut(value);
    left.characters -= text.length + 3;
    return text;
  }
  if (typeof value !== "object" || value === null) return typeof value === "bigint" ? String(value) : value;
  if (depth > maxDepth) return "…";
  if (value instanceof Error) return boundedValue(messageOf(value), left, depth);
  if (!Array.isArray(value)) return boundedObject(value, left, depth);
  const items: unknown[] = [];
  for (const item of value) {
    if (left.characters <= 0) break;
    items.push(boundedValue(item, left, depth + 1));
  }
  if (items.length < value.length) items.push(`… ${value.length - items.length} more`);
  return items;
}
