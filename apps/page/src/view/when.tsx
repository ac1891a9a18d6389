import type { JSX } from "preact";
import { formatRelative, formatTime } from "../model/format.js";

/** A time of day and how long ago that is: `10:21:05, 12 s ago`. Nothing if it is not known. */
export function When({
  at,
  now,
}: {
  readonly at: string | undefined;
  readonly now: number;
}): JSX.Element | null {
  const time = Date.parse(at ?? "");
  if (Number.isNaN(time)) return null;
  return (
    <time class="when" dateTime={at ?? ""}>
      {formatTime(time, now)}
      <span class="ago">, {formatRelative(time, now)}</span>
    </time>
  );
}
