import type { RecordedEvent, Status } from "@gw/admin";
import { GatewayError, messageOf, sleep, systemClock } from "@gw/interface";
import type { AdminClient } from "../admin/client.js";
import { type Rates, ratesBetween } from "./rates.js";

/** Events that are kept. */
const maxEvents = 100;
/** How long to wait before connecting again, in milliseconds: at first, and at most. */
const [firstRetryMs, lastRetryMs] = [500, 5_000] as const;
/** Statuses come once a second, a little early or late, in milliseconds. */
const earlyMs = 200;

/** What is known of a gateway that is followed. */
export interface Followed {
  readonly status: Status | undefined;
  readonly rates: Rates | undefined;
  /** Oldest first. */
  readonly events: readonly RecordedEvent[];
  /** Why it does not answer now, and since when by {@link performance}; undefined where it does. */
  readonly gone: { readonly since: number; readonly reason: string } | undefined;
}

/**
 * Follows a gateway until `signal` is aborted, and connects again where it has gone.
 *
 * @param onChange called with what is known whenever it changes
 */
export async function follow(
  client: AdminClient,
  { intervalMs, signal }: { readonly intervalMs: number; readonly signal: AbortSignal },
  onChange: (followed: Followed) => void,
): Promise<void> {
  let known: Followed = { status: undefined, rates: undefined, events: [], gone: undefined };
  let measuredAt = Number.NEGATIVE_INFINITY;
  let failures = 0;
  const change = (part: Partial<Followed>): void => {
    known = { ...known, ...part };
    onChange(known);
  };
  while (!signal.aborted) {
    try {
      for await (const message of client.stream(signal)) {
        failures = 0;
        if (message.kind === "event") {
          change({ events: withEvent(known.events, message.event) });
          continue;
        }
        const { status } = message;
        const again =
          known.status !== undefined && known.status.gateway.startedAt !== status.gateway.startedAt;
        const due = performance.now() - measuredAt >= intervalMs - earlyMs;
        if (!due && !again && !known.gone) continue;
        measuredAt = performance.now();
        change({
          status,
          rates: known.status && ratesBetween(known.status, status),
          gone: undefined,
          // The numbers of its events begin again.
          ...(again && { events: [] }),
        });
      }
    } catch (error) {
      const reason = error instanceof GatewayError ? error.detail : messageOf(error);
      change({ gone: { since: known.gone?.since ?? performance.now(), reason } });
    }
    if (signal.aborted) return;
    await sleep(Math.min(lastRetryMs, firstRetryMs * 2 ** Math.min(failures, 10)), systemClock, signal);
    failures += 1;
  }
}

/** With an event that is new, or whose count has grown. */
function withEvent(events: readonly RecordedEvent[], event: RecordedEvent): readonly RecordedEvent[] {
  return [...events.filter(({ id }) => id !== event.id), event]
    .sort((one, other) => one.id - other.id)
    .slice(-maxEvents);
}
