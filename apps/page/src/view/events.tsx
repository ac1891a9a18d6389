import type { RecordedEvent } from "@gw/admin";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { isEvidence } from "../model/events.js";
import { When } from "./when.js";

/** How many events are shown at first, and at most. */
const few = 6;
const most = 100;

interface Props {
  readonly events: readonly RecordedEvent[];
  readonly now: number;
}

/** The last events in sentences, newest first. */
export function Events({ events, now }: Props): JSX.Element {
  const [evidence, setEvidence] = useState(false);
  const [all, setAll] = useState(false);
  const picked = (evidence ? events : events.filter(event => !isEvidence(event))).slice(-most).toReversed();
  return (
    <section aria-labelledby="events">
      <h2 id="events">Events</h2>
      <p class="controls">
        <label>
          <input
            type="checkbox"
            checked={evidence}
            onChange={event => setEvidence(event.currentTarget.checked)}
          />{" "}
          Also the evidence: health checks, failed dials, closed connections
        </label>
      </p>
      {picked.length === 0 ? (
        <p class="empty">No events yet.</p>
      ) : (
        <ol class="events">
          {picked.slice(0, all ? most : few).map(event => (
            <li key={event.id}>
              <When at={event.lastAt ?? event.at} now={now} />
              <span>
                {event.text}
                {(event.count ?? 1) > 1 && <span class="badge">{event.count} times</span>}
              </span>
            </li>
          ))}
        </ol>
      )}
      {picked.length > few && (
        <p>
          <button type="button" aria-expanded={all} onClick={() => setAll(!all)}>
            {all ? "Show fewer" : `Show ${picked.length - few} earlier events`}
          </button>
        </p>
      )}
    </section>
  );
}
