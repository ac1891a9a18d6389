import {
  type Clock,
  type Endpoint,
  formatAddress,
  type HealthObserver,
  type Observer,
  type Suspicion,
  systemClock,
} from "@gw/interface";
import type { EventsAnswer, EventsQuery, RecordedEvent } from "../contract/events.js";
import { clientEvents } from "./client-events.js";
import { endpointEvents } from "./endpoint-events.js";
import { KeptEvents, type NewEvent } from "./kept-events.js";
import { sourceEvents } from "./source-events.js";

/** Keeps the last thousand decisions of a gateway, and the evidence for them. */
export interface Recorder {
  /** To be notified of all that happens. */
  readonly observer: Observer & HealthObserver;
  /** The pool suspects an endpoint; see `PoolOptions.onSuspicion`. */
  suspected(endpoint: Endpoint, why: Suspicion): void;
  /** Records what no observer is notified of, such as an operator's action. */
  record(event: NewEvent): void;
  events(query?: EventsQuery): EventsAnswer;
  /**
   * Calls `listener` with each new event, and again when its count has grown, at most once a second for each.
   *
   * @returns a function that stops the calls
   */
  onEvent(listener: (event: RecordedEvent) => void): () => void;
}

/**
 * @param wallMs the time of day, in milliseconds since 1970
 * @param record what a replay runs, such as `PoolRecording.record`
 */
export function createRecorder(
  clock: Clock = systemClock,
  wallMs: () => number = Date.now,
  record: () => unknown = () => undefined,
): Recorder {
  const events = new KeptEvents(clock, wallMs);
  return {
    observer: {
      ignoresClients: true,
      ...sourceEvents(events),
      ...endpointEvents(events, wallMs),
      ...clientEvents(events),
    },
    suspected(endpoint, why) {
      const said = suspicions[why];
      if (!said) return;
      const name = formatAddress(endpoint);
      events.keep({
        event: "endpoint suspected",
        endpoint: name,
        reason: said,
        data: { why },
        text: `${name} is suspected: ${said}.`,
      });
    },
    record: event => events.keep(event, { isDecision: true }),
    events: ({ replay = false } = {}) =>
      replay ? { ...events.answer(), record: record() } : events.answer(),
    onEvent: listener => events.onEvent(listener),
  };
}

/** Absent: the event itself is recorded, or it means nothing most of the time. */
const suspicions: { readonly [why in Suspicion]?: string } = {
  lost: "a connection to it was reset or lost",
  unanswered: "it ended a connection before it sent a byte",
  refused: "it could not be dialled while connections to it are open",
  stalled: "a client waits for an answer for longer than the stall timeout",
  abandoned: "a client gave up after a long wait for an answer",
  outdated: "it reports an older raft term than other members",
};
