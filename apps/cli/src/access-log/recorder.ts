import type { Clock, Observer } from "@gw/interface";
import { endOf, endOfUnserved } from "./ends.js";
import type { AccessRecord } from "./record.js";

/** Records are written after this time at the latest, in milliseconds, */
const flushMs = 200;
/** or as soon as this many are gathered. */
const maxGathered = 1_000;

/** Gathers the records of connections that end. */
export interface AccessRecorder {
  readonly observer: Observer;
  /** Writes what is gathered now. */
  flush(): void;
}

/**
 * Gathers records, so that the event of a connection costs little, and passes them to `write` in batches of at most a
 * thousand, five times in a second or more often.
 */
export function createAccessRecorder(
  write: (records: readonly AccessRecord[]) => void,
  clock: Clock,
): AccessRecorder {
  let gathered: AccessRecord[] = [];
  let cancel: (() => void) | undefined;
  const flush = (): void => {
    cancel?.();
    cancel = undefined;
    if (gathered.length === 0) return;
    const records = gathered;
    gathered = [];
    write(records);
  };
  const add = (record: AccessRecord): void => {
    gathered.push(record);
    if (gathered.length >= maxGathered) flush();
    else cancel ??= clock.after(flushMs, flush);
  };
  return {
    observer: {
      closed(event) {
        add({
          atMs: Date.now(),
          connection: event.connection,
          client: event.client,
          listener: event.listener,
          endpoint: event.endpoint,
          tries: event.tries,
          dialMs: event.dialMs,
          durationMs: event.durationMs,
          bytesFromClient: event.bytesFromClient,
          bytesFromBackend: event.bytesFromBackend,
          end: endOf(event),
          reason: event.error?.detail,
        });
      },
      unserved(event) {
        add({
          atMs: Date.now(),
          connection: event.connection,
          client: event.client,
          listener: event.listener,
          endpoint: undefined,
          tries: event.tries,
          dialMs: undefined,
          durationMs: event.durationMs,
          bytesFromClient: 0,
          bytesFromBackend: 0,
          end: endOfUnserved(event),
          reason: event.error.detail,
        });
      },
      limitReached({ limit, client, listener }) {
        add({
          atMs: Date.now(),
          connection: undefined,
          client,
          listener,
          endpoint: undefined,
          tries: 0,
          dialMs: undefined,
          durationMs: 0,
          bytesFromClient: 0,
          bytesFromBackend: 0,
          end: "refused",
          reason: `${limit} connections are open`,
        });
      },
    },
    flush,
  };
}
