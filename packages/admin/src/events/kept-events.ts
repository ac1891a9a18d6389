import { type Clock, createListeners, printable } from "@gw/interface";
import type { EventsAnswer, RecordedEvent } from "../contract/events.js";
import { Bursts, type Group, groupData, groupNames } from "./bursts.js";

/** What is recorded of one event; times and numbers are added. */
export type NewEvent = Pick<RecordedEvent, "event" | "endpoint" | "reason" | "data" | "text">;

/** How an event is recorded. */
export interface KeepOptions {
  /** It may follow one of the same kind within this time, in milliseconds, as a repeat: they become one item. @default 10000 */
  readonly repeatMs?: number | undefined;
  /** It is a decision: evidence that follows begins new items. @default false */
  readonly isDecision?: boolean | undefined;
  /**
   * Says in a clause that this happened to `count` more endpoints, without the reason. If it is given, events that come for
   * many endpoints at once join one item. Those of a kind have the same function.
   */
  readonly many?: ((count: number) => string) | undefined;
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
  characters: number;
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
  readonly #bursts = new Bursts<Item>();
  readonly #listeners = createListeners<[event: RecordedEvent]>("the recorder");
  #characters = 0;
  #newest = 0;

  /** @param wallMs the time of day, in milliseconds since 1970 */
  constructor(clock: Clock, wallMs: () => number) {
    this.#clock = clock;
    this.#wallMs = wallMs;
  }

  keep(given: NewEvent, { repeatMs = 10_000, isDecision = false, many }: KeepOptions = {}): void {
    const now = this.#clock.now();
    const key = `${given.event}\n${given.endpoint ?? ""}\n${given.reason ?? ""}`;
    const before = isDecision ? undefined : this.#repeatable.get(key);
    if (before && now - before.lastMs <= repeatMs) {
      this.#repeat(before, given, now);
      return;
    }
    if (many && this.#join(given, many, now)) return;
    if (isDecision) this.#repeatable.clear();
    this.#repeatable.set(key, this.#add(given, key, now));
  }

  /** @returns whether the event is part of an item for many endpoints */
  #join(given: NewEvent, many: (count: number) => string, now: number): boolean {
    const { event, endpoint = "", reason } = given;
    const oldest = this.#items[0]?.event.id ?? 0;
    const group = this.#bursts.join(many, endpoint, now, item => item.event.id >= oldest);
    if (!group) return false;
    const because = reason === undefined ? "" : `: ${reason}`;
    const text = `${many(group.endpoints.size)}, the last ${endpoint}${because}.`;
    this.#grow(group, { event, data: groupData(group), text }, now);
    return true;
  }

  #grow(group: Group<Item>, given: NewEvent, now: number): void {
    const { item } = group;
    if (!item) {
      group.item = this.#add(given, "", now);
      return;
    }
    const { text } = item.event;
    const { characters } = item;
    this.#repeat(item, given, now);
    item.characters =
      group.endpoints.size <= groupNames
        ? JSON.stringify(item.event).length
        : characters + item.event.text.length - text.length;
    this.#characters += item.characters - characters;
    this.#drop();
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

  #add(given: NewEvent, key: string, now: number): Item {
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
    this.#drop();
    this.#listeners.call(event);
    return item;
  }

  /** Drops the oldest that are too many. */
  #drop(): void {
    while (this.#items.length > keptLimits.events || this.#characters > keptLimits.characters) {
      const oldest = this.#items.shift();
      if (!oldest) break;
      this.#characters -= oldest.characters;
      if (this.#repeatable.get(oldest.key) === oldest) this.#repeatable.delete(oldest.key);
    }
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
