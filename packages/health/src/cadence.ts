import { type Endpoint, type EndpointStatus, formatAddress } from "@gw/interface";

/** What is known of the looks at one endpoint. Times are in milliseconds on the clock of the checks. */
export interface Watch {
  endpoint: Endpoint;
  /** Whether it takes new connections. */
  up: boolean;
  /** When the newest look began; undefined before the first. */
  startedAt: number | undefined;
  /** The look that is under way. It never rejects. */
  running: Promise<void> | undefined;
  /** Gives up the look that is under way, when the endpoint is no longer looked at. */
  readonly ending: AbortController;
  /** When the newest look began that found nothing wrong. */
  wellAt: number;
  /** When another was found to be well while this one was not, since when that has been so; Infinity if it is not. */
  aloneSince: number;
  /** Looks in a row that found something wrong. */
  failures: number;
  /** When to look at the latest, whatever the cadence says. */
  soonAt: number;
  /** The part of the cadence to wait for, so that endpoints are not looked at in step. */
  jitter: number;
}

/** How often endpoints are looked at. */
export interface Cadence {
  /** Between two looks at what is in use, at the next best, and at what was not well, in milliseconds. */
  readonly intervalMs: number;
  /** Between two looks at the others. */
  readonly farMs: number;
  /** Between two looks while it is not yet clear whether an endpoint is ill. */
  readonly fastMs: number;
}

/** The others are looked at once in this many intervals, */
const intervalsPerFarLook = 6;
/** but at least once in this time, in milliseconds. */
const longestFarMs = 60_000;

export function cadenceOf(intervalMs: number): Cadence {
  return {
    intervalMs,
    farMs: Math.max(intervalMs, Math.min(intervalMs * intervalsPerFarLook, longestFarMs)),
    fastMs: Math.min(intervalMs, 1_000),
  };
}

/**
 * Whether an endpoint is looked at: it takes connections, or a dial has set it aside and the connections that it still
 * has may hang.
 */
export function isWatched({ state, unhealthy, connections }: EndpointStatus): boolean {
  return state === "up" || (state === "aside" && !unhealthy && connections > 0);
}

/**
 * The names of those that matter now: what is in use, one more, of the best priority, to which clients would go next,
 * and what a dial has set aside.
 */
export function nearest(watched: readonly EndpointStatus[]): ReadonlySet<string> {
  const up = watched.filter(({ state }) => state === "up");
  const [next] = byPriority(up.filter(({ inUse }) => !inUse));
  const near = watched.filter(one => one.state === "aside" || one.inUse || one === next);
  return new Set(near.map(({ endpoint }) => formatAddress(endpoint)));
}

/** The best priority first, else in the order given. */
export function byPriority<Of extends { readonly endpoint: Endpoint }>(all: readonly Of[]): readonly Of[] {
  return all.toSorted((a, b) => a.endpoint.priority - b.endpoint.priority);
}

/** When to look next. Never later than the cadence says: what must be found in time is found in time. */
export function dueAt(watch: Watch, near: boolean, { intervalMs, farMs }: Cadence): number {
  if (watch.startedAt === undefined) return watch.soonAt;
  const everyMs = near || watch.failures > 0 ? intervalMs : farMs;
  return Math.min(watch.soonAt, watch.startedAt + everyMs * watch.jitter);
}

/** A watch on an endpoint, at which one looks for the first time at `soonAt`. */
export function beginWatch(endpoint: Endpoint, soonAt: number): Watch {
  return {
    endpoint,
    up: true,
    startedAt: undefined,
    wellAt: -Infinity,
    aloneSince: Infinity,
    running: undefined,
    ending: new AbortController(),
    failures: 0,
    soonAt,
    jitter: 1,
  };
}
