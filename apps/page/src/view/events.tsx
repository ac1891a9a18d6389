import type { RecordedEvent } from "@gw/admin";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { isEvidence } from "../model/events.js";
import { When } from "./when.js";

/** How many events are shown. */
const shown = 50;

interface Props {
  readonly events: readonly RecordedEvent[];
  readonly now: number;
}

/** The last events in sentences, newest first. */
export function Events({ events, now }: Props): JSX.Element {
  const [all, setAll] = useState(false);
  const picked = (all ? events : events.filter(event => !isEvidence(event))).slice(-shown).toReversed();
  return (
    <section aria-labelledby="events">
      <h2 id="events">Events</h2>
      <p class="controls">
        <label>
          <input type="checkbox" checked={all} onChange={event => setAll(event.currentTarget.checked)} /> Also
          the evidence: health checks, failed dials, closed connections
        </label>
      </p>
      {picked.length === 0 ? (
        <p class="empty">No events yet.</p>
      ) : (
        <ol class="events">
          {picked.map(event => (
            <li key={event.id}>
              <When at={event.lastAt ?? event.at} now={now} />
              <span class="text">
                {event.text}
                {(event.count ?? 1) > 1 && <span class="badge">{event.count} times</span>}
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
