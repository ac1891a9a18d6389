import type { RecordedEvent } from "@gw/admin";
import { fields, optionalNumber, optionalText, text } from "./fields.js";

/** How many events the page keeps. */
export const eventsKept = 300;

/** An event from the gateway; undefined if it cannot be shown. */
export function readEvent(value: unknown): RecordedEvent | undefined {
  const given = fields(value);
  const id = optionalNumber(given["id"]);
  if (id === undefined) return undefined;
  const name = text(given["event"]);
  return {
    id,
    at: text(given["at"]),
    event: name,
    endpoint: optionalText(given["endpoint"]),
    reason: optionalText(given["reason"]),
    count: optionalNumber(given["count"]),
    lastAt: optionalText(given["lastAt"]),
    data: fields(given["data"]),
    text: text(given["text"]) || name,
  };
}

/**
 * Adds an event to those in the order of their ids. One with the same id replaces the one before: its count grew, or
 * the gateway sent it again after a reconnect.
 */
export function addEvent(events: readonly RecordedEvent[], event: RecordedEvent): readonly RecordedEvent[] {
  const last = events.at(-1);
  if (!last || last.id < event.id) return [...events, event].slice(-eventsKept);
  if (events.some(one => one.id === event.id)) return events.map(one => (one.id === event.id ? event : one));
  return [...events, event].sort((one, other) => one.id - other.id).slice(-eventsKept);
}

/** Events that are evidence: why something was decided, or what follows from it. */
const evidence: ReadonlySet<string> = new Set([
  "health check",
  "health check type",
  "endpoint still down",
  "dial failed",
  "closed",
  "pick changed",
]);

export function isEvidence({ event }: RecordedEvent): boolean {
  return evidence.has(event);
}
