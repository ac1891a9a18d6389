import { type Clock, messageOf, systemClock } from "@gw/interface";
import { onFatal, onIgnoredSignal, onWarning } from "../process/events.js";
import { type EventName, type FieldsOf, type LogEvent, logEvents } from "./events.js";
import type { Level, LogLevel } from "./levels.js";
import type { Log } from "./lines.js";
import { type LogFormat, openLog } from "./log.js";

/** The log of the gateway: the events of {@link logEvents}. */
export interface EventLog {
  /**
   * Writes an event, unless it has reached its limit per minute. Then it is counted, and its next line has the count in
   * the field `suppressed`.
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
  const { log: lines, flushed } = openLog(level, format);
  const log = createEventLog(lines);
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
export function createEventLog(log: Log, clock: Clock = systemClock): EventLog {
  const limits = new Map<string, RateLimit>();
  const limitOf = (name: EventName, fields: { readonly [field: string]: unknown }): RateLimit | undefined => {
    const { limit }: LogEvent = logEvents[name];
    if (!limit) return undefined;
    const key = limit.per ? `${name} ${fields[limit.per]}` : name;
    const known = limits.get(key) ?? createRateLimit(clock, limit.times);
    limits.set(key, known);
    if (limits.size > maxLimits) limits.delete(limits.keys().next().value ?? "");
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
      if (limit && !limit.take()) return;
      const suppressed = limit?.takeSuppressed() ?? 0;
      log.write(level, suppressed > 0 ? { ...fields, suppressed } : fields, name);
    },
  };
}

/** The time to which the limits of events apply, in milliseconds. */
const periodMs = 60_000;

/** Bounds how often something is done. */
interface RateLimit {
  /** Whether it may be done now; if not, it is counted. */
  take(): boolean;
  /** How often it was not done since the last call. */
  takeSuppressed(): number;
}

/** Allows `times` in a period, which begins with the first of them. */
function createRateLimit(clock: Clock, times: number): RateLimit {
  let endsAt = -Infinity;
  let taken = 0;
  let suppressed = 0;
  return {
    take() {
      if (clock.now() >= endsAt) {
        endsAt = clock.now() + periodMs;
        taken = 0;
      }
      if (taken >= times) {
        suppressed += 1;
        return false;
      }
      taken += 1;
      return true;
    },
    takeSuppressed() {
      const count = suppressed;
      suppressed = 0;
      return count;
    },
  };
}
