import { type Clock, createListeners, printable } from "@gw/interface";
import type { EventsAnswer, RecordedEvent } from "../contract/events.js";

/** What is recorded of one event; times and numbers are added. */
export type NewEvent = Pick<RecordedEvent, "event" | "endpoint" | "reason" | "data" | "text">;

/** How an event is recorded. */
export interface KeepOptions {
  /** It may follow one of the same kind within this time, in milliseconds, as a repeat: they become one item. @default 10000 */
  readonly repeatMs?: number | undefined;
  /** It is a decision: evidence that follows begins new items. @default false */
  readonly isDecision?: boolean | undefined;
}

/** Bounds of {@link KeptEvents}. */
const keptLimits = {
  /** Items. */
  events: 1_000,
  /** Of all items as JSON, in characters. */
  characters: 2_000_000,
  /** Of one text or reason, in characters. */
  text: 1_000,
  /** How soon a listener is called again because the count of an item has grown, in milliseconds. */
  notifyMs: 1_000,
} as const;

interface Item {
  event: RecordedEvent;
  readonly key: string;
  readonly characters: number;
  /** On the clock. */
  lastMs: number;
  notifiedMs: number;
  isNotifying: boolean;
}

/** The newest events, bounded in number and size. Repeats of one kind that follow each other closely are one item. */
export class KeptEvents {
  readonly #clock: Clock;
  readonly #wallMs: () => number;
  readonly #items: Item[] = [];
  /** The newest item of each kind, as long as it may be repeated. */
  readonly #repeatable = new Map<string, Item>();
  readonly #listeners = createListeners<[event: RecordedEvent]>("the recorder");
  #characters = 0;
  #newest = 0;

  /** @param wallMs the time of day, in milliseconds since 1970 */
  constructor(clock: Clock, wallMs: () => number) {
    this.#clock = clock;
    this.#wallMs = wallMs;
  }

  keep(given: NewEvent, { repeatMs = 10_000, isDecision = false }: KeepOptions = {}): void {
    const now = this.#clock.now();
    const key = `${given.event}\n${given.endpoint ?? ""}\n${given.reason ?? ""}`;
    if (isDecision) this.#repeatable.clear();
    const before = this.#repeatable.get(key);
    if (before && now - before.lastMs <= repeatMs) this.#repeat(before, given, now);
    else this.#add(given, key, now);
  }

  /** One more of the newest item of this kind, without its data. @returns whether there is one within `repeatMs` */
  repeat(event: string, repeatMs: number): boolean {
    const before = this.#repeatable.get(`${event}\n\n`);
    const now = this.#clock.now();
    if (!before || now - before.lastMs > repeatMs) return false;
    this.#repeat(before, undefined, now);
    return true;
  }

  answer(): EventsAnswer {
    const events = this.#items.map(({ event }) => event);
    return { schema: 1, events, dropped: this.#newest - events.length };
  }

  /** Calls `listener` with each new item, and again when its count has grown, at most once a second for each item. */
  onEvent(listener: (event: RecordedEvent) => void): () => void {
    return this.#listeners.add(listener);
  }

  #add(given: NewEvent, key: string, now: number): void {
    this.#newest += 1;
    const { event: name, endpoint, reason, data, text } = given;
    const event: RecordedEvent = {
      id: this.#newest,
      at: this.#time(),
      event: name,
      ...(endpoint !== undefined && { endpoint: bounded(endpoint) }),
      ...(reason !== undefined && { reason: bounded(reason) }),
      ...(data && { data }),
      text: bounded(text),
    };
    const characters = JSON.stringify(event).length;
    const item: Item = { event, key, characters, lastMs: now, notifiedMs: now, isNotifying: false };
    this.#items.push(item);
    this.#characters += characters;
    this.#repeatable.set(key, item);
    while (this.#items.length > keptLimits.events || this.#characters > keptLimits.characters) {
      const oldest = this.#items.shift();
      if (!oldest) break;
      this.#characters -= oldest.characters;
      if (this.#repeatable.get(oldest.key) === oldest) this.#repeatable.delete(oldest.key);
    }
    this.#listeners.call(event);
  }

  #repeat(item: Item, given: NewEvent | undefined, now: number): void {
    item.lastMs = now;
    const { event } = item;
    item.event = {
      ...event,
      count: (event.count ?? 1) + 1,
      lastAt: this.#time(),
      ...(given?.data && { data: given.data }),
      ...(given && { text: bounded(given.text) }),
    };
    if (item.isNotifying) return;
    item.isNotifying = true;
    const notify = (): void => {
      item.isNotifying = false;
      item.notifiedMs = this.#clock.now();
      this.#listeners.call(item.event);
    };
    this.#clock.after(Math.max(0, item.notifiedMs + keptLimits.notifyMs - now), notify);
  }

  #time(): string {
    return new Date(this.#wallMs()).toISOString();
  }
}

/** Text that may come from the network: one line without control characters, of limited length. */
function bounded(text: string): string {
  const short = text.length > keptLimits.text ? `${text.slice(0, keptLimits.text)}…` : text;
  return printable(short);
}
