import { type Clock, messageOf, systemClock } from "@gw/interface";
import { onFatal, onIgnoredSignal, onWarning } from "../process/events.js";
import { type EventName, type FieldsOf, type LogEvent, logEvents } from "./events.js";
import type { Level, LogLevel } from "./levels.js";
import type { Log } from "./lines.js";
import { type LogFormat, openLog } from "./log.js";

/** The log of the gateway: the events of {@link logEvents}. */
export interface EventLog {
  /**
   * Writes an event, unless it has reached its limit per minute. Then it is counted. When the minute is over, the newest
   * that was not written is, with the count of the others in the field `suppressed`.
   *
   * @param level one of the event's @default the first of them
   */
  write<Name extends EventName>(name: Name, fields: FieldsOf<Name>, level?: Level): void;
  /** Whether this log has lines of the event. */
  isEnabled(name: EventName): boolean;
  /** The lowest level that is written. May be set. */
  level: LogLevel;
}

/**
 * Opens the log on stderr. Warnings of Node, ignored signals and errors that nothing catches are lines of it from now on,
 * also those that came before.
 *
 * @param format @default `text` on a terminal
 * @returns `flushed` resolves when all lines are written, or after a second
 */
export function openEventLog(
  level: LogLevel,
  format?: LogFormat,
): { readonly log: EventLog; flushed(): Promise<void> } {
  const { log: lines, flushed: linesFlushed } = openLog(level, format);
  const log = createEventLog(lines);
  const flushed = (): Promise<void> => {
    log.writeSuppressed();
    return linesFlushed();
  };
  /** A stack trace helps developers, and is noise for operators. */
  const stackOf = (error: unknown): { readonly stack?: string | undefined } =>
    lines.isEnabled("debug") && error instanceof Error ? { stack: error.stack } : {};
  onIgnoredSignal(signal => log.write("signal ignored", { signal }));
  onWarning(warning =>
    log.write("warning", { warning: warning.name, reason: messageOf(warning), ...stackOf(warning) }),
  );
  onFatal(error => {
    log.write("fatal error", { reason: messageOf(error), ...stackOf(error) });
    return flushed();
  });
  return { log, flushed };
}

/** How many limits are kept at most: the names of endpoints may come from the network, in any number. */
const maxLimits = 10_000;

/** An event log whose lines go to `log`. */
export function createEventLog(
  log: Log,
  clock: Clock = systemClock,
): EventLog & {
  /** Writes now what was counted, for the end of the process. */
  writeSuppressed(): void;
} {
  const limits = new Map<string, RateLimit>();
  const limitOf = (name: EventName, fields: { readonly [field: string]: unknown }): RateLimit | undefined => {
    const { limit }: LogEvent = logEvents[name];
    if (!limit) return undefined;
    const key = limit.per ? `${name} ${fields[limit.per]}` : name;
    const known = limits.get(key) ?? new RateLimit(limit.times, clock);
    limits.set(key, known);
    if (limits.size > maxLimits) {
      const [[oldestKey, oldest] = []] = limits;
      oldest?.writeSuppressed();
      limits.delete(oldestKey ?? "");
    }
    return known;
  };
  return {
    isEnabled: name => log.isEnabled(logEvents[name].levels[0]),
    get level() {
      return log.level;
    },
    set level(level) {
      log.level = level;
    },
    write(name, fields, level = logEvents[name].levels[0]) {
      if (!log.isEnabled(level)) return;
      const limit = limitOf(name, fields);
      const writeLine = (suppressed: number): void =>
        log.write(level, suppressed > 0 ? { ...fields, suppressed } : fields, name);
      if (limit) limit.write(writeLine);
      else writeLine(0);
    },
    writeSuppressed() {
      for (const limit of limits.values()) limit.writeSuppressed();
    },
  };
}

/** The time to which the limits of events apply, in milliseconds. */
const periodMs = 60_000;

/** Allows a number of lines in a period, which begins with the first of them. */
class RateLimit {
  readonly #times: number;
  readonly #clock: Clock;
  #endsAt = -Infinity;
  #taken = 0;
  /** How many lines were not written. */
  #suppressed = 0;
  /** Writes the newest of them. */
  #newest: ((suppressed: number) => void) | undefined;
  /** Cancels what is to happen at the end of the period. */
  cancel = (): void => {};

  constructor(times: number, clock: Clock) {
    this.#times = times;
    this.#clock = clock;
  }

  /** Calls `writeLine`, now or at the end of the period, with the number of lines before it that were not written. */
  write(writeLine: (suppressed: number) => void): void {
    const now = this.#clock.now();
    if (now >= this.#endsAt) {
      this.writeSuppressed();
      this.#endsAt = now + periodMs;
      this.#taken = 0;
    }
    if (this.#taken < this.#times) {
      this.#taken += 1;
      writeLine(0);
      return;
    }
    if (this.#suppressed === 0)
      this.cancel = this.#clock.after(this.#endsAt - now, () => this.writeSuppressed());
    this.#suppressed += 1;
    this.#newest = writeLine;
  }

  writeSuppressed(): void {
    this.cancel();
    const [count, newest] = [this.#suppressed, this.#newest];
    this.#suppressed = 0;
    this.#newest = undefined;
    newest?.(count - 1);
  }
}
