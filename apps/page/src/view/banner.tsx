import type { JSX } from "preact";
import type { Link } from "../live.js";
import { formatRelative, formatTime } from "../model/format.js";

interface Props {
  readonly link: Link;
  readonly now: number;
  /** Whether there is data to show meanwhile. */
  readonly hasData: boolean;
}

/** Says that the page is not connected to the gateway. */
export function Banner({ link, now, hasData }: Props): JSX.Element | null {
  if (link.state === "live") return null;
  if (link.state === "connecting") return <p class="banner">Connecting to the gateway…</p>;
  const since = now - (performance.now() - link.since);
  return (
    <p class="banner gone">
      <strong>The gateway does not answer since {formatTime(since, now)}</strong> (
      {formatRelative(since, now)}). {hasData && "What you see below is from then. "}
      The page tries again by itself.
    </p>
  );
}
