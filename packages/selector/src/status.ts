import type { EndpointStatus } from "@gw/interface";
import type { PoolEntry } from "./member.js";

/** How `member` is doing. `current` is whom the newest connection went to. */
export function statusOf(member: PoolEntry, current: PoolEntry | undefined): EndpointStatus {
  const { endpoint, aside, connections, removed, verdict } = member;
  return {
    endpoint,
    state: removed ? "draining" : aside ? "down" : "up",
    unhealthy: aside?.unhealthy ?? false,
    inUse: !removed && member === current,
    connections,
    since: removed ? member.since : (aside?.since ?? member.since),
    ...(aside && !removed && { error: aside.error, retryAt: aside.retryAt }),
    ...(verdict && { verdict }),
  };
}
