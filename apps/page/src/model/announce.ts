import type { Status } from "@gw/admin";

/** Announcements at least this far apart, so that a screen reader can finish one; the newest replaces the others. */
export const announceEveryMs = 5_000;

/** What a screen reader is told of a change; undefined if it is no news. */
export function news(before: Status | undefined, now: Status): string | undefined {
  if (!before) return undefined;
  const failover = now.lastFailover;
  if (failover && failover.at !== before.lastFailover?.at)
    return `Failover from ${failover.from} to ${failover.to}.`;
  const wasUp = before.endpoints.some(({ state }) => state === "up");
  const isUp = now.endpoints.some(({ state }) => state === "up");
  if (wasUp && !isUp) return "No endpoint is up.";
  if (!wasUp && isUp) return "An endpoint is up again.";
  if (now.panic && !before.panic) return "The gateway is in panic mode.";
  if (before.panic && !now.panic) return "Panic over.";
  return undefined;
}
