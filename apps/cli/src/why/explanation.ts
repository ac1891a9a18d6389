import type { EventsAnswer, RecordedEvent, Status } from "@gw/admin";
import type { LocalTime } from "./local-time.js";

/** What `gw why` knows of a gateway. */
export interface Known {
  readonly status: Status;
  readonly answer: EventsAnswer;
  readonly time: LocalTime;
}

/** What `gw why` says. */
export interface Explanation {
  /** For people, in lines. */
  readonly lines: readonly string[];
  /** What it is based on, the oldest first. */
  readonly evidence: readonly RecordedEvent[];
}

/** How many events are shown at most, of each kind: those before a switch, those after it, those of an endpoint. */
const maxShown = 12;

/** When the newest of the repeats of an event was. */
export function lastOf({ at, lastAt }: RecordedEvent): number {
  return new Date(lastAt ?? at).getTime();
}

/** One line for each event, with its time; of many the newest. */
export function listed(events: readonly RecordedEvent[], time: LocalTime): readonly string[] {
  const shown = events.slice(-maxShown);
  const left = events.length - shown.length;
  const width = Math.max(0, ...shown.map(({ at }) => time.short(at).length));
  return [
    ...(left > 0
      ? [`  ${left} earlier ${left === 1 ? "event is" : "events are"} not shown; see /events.`]
      : []),
    ...shown.map(event => `  ${time.short(event.at).padEnd(width)}  ${event.text}${repeats(event, time)}`),
  ];
}

function repeats(event: RecordedEvent, time: LocalTime): string {
  const { count = 1, lastAt } = event;
  if (count === 1) return "";
  // Its text has the count.
  if (isGrouped(event)) return lastAt === undefined ? "" : ` (until ${time.short(lastAt)})`;
  return lastAt === undefined ? ` (${count} times)` : ` (${count} times until ${time.short(lastAt)})`;
}

/** Whether this item has the events of many endpoints; it names only the first of them. */
export function isGrouped({ data }: RecordedEvent): boolean {
  return data?.["grouped"] === true;
}

/** Whether an event is about this endpoint, also where it is one of several. */
export function isAbout({ endpoint, event, data }: RecordedEvent, name: string): boolean {
  if (endpoint === name) return true;
  if (event === "failover" || event === "pick changed" || event === "first pick")
    return data?.["from"] === name || data?.["to"] === name;
  return Object.values(data ?? {}).some(value => isSetWith(value, name)) || isSetWith(data, name);
}

/** Whether `value` is what the recorder makes of a set of endpoints, and has this one. */
function isSetWith(value: unknown, name: string): boolean {
  if (typeof value !== "object" || value === null || !("endpoints" in value)) return false;
  return Array.isArray(value.endpoints) && value.endpoints.includes(name);
}

/** What is not known, in sentences. */
export function unknownPart({ status, answer, time }: Known): readonly string[] {
  const { startedAt } = status.gateway;
  const oldest = answer.events[0];
  if (answer.dropped > 0 && oldest)
    return [
      `${answer.dropped} older ${answer.dropped === 1 ? "event is" : "events are"} no longer kept: nothing is known of the time before ${time.full(oldest.at)}.`,
    ];
  return [
    `This gateway was started at ${time.full(startedAt)} (${time.distance(startedAt)} ago); nothing is known of the time before.`,
  ];
}
