import {
  type CheckedPool,
  type Clock,
  type Endpoint,
  GatewayError,
  type PauseTracker,
  type Probe,
  systemClock,
  trackPauses,
  type Verdict,
} from "@gw/interface";
import { cadenceOf, type Watch } from "./cadence.js";
import { checkDefaults } from "./defaults.js";
import { type HealthObserver, tell } from "./health-observer.js";
import { createLevels } from "./levels.js";
import { createWatches } from "./watches.js";

/** Options of {@link checkHealth}. */
export interface CheckOptions {
  /** How to look. The caller closes it, if it is to be closed, after the checks. */
  readonly probe: Probe;
  /** Whose endpoints are looked at, and who hears what was found. */
  readonly pool: CheckedPool;
  /**
   * How often the endpoint in use and the next best are looked at, in milliseconds, less up to a fifth at random. The
   * others are looked at once in six intervals, and once a minute at least. @default 5000
   */
  readonly intervalMs?: number | undefined;
  /** How many failures in a row are reported as one. @default 2 */
  readonly fall?: number | undefined;
  /** A number in [0, 1), for jitter. @default Math.random */
  readonly random?: (() => number) | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
  readonly observer?: HealthObserver | undefined;
}

/** Checks that run until they are closed. */
export interface HealthChecks {
  /**
   * There is reason to doubt an endpoint: it is looked at now, but at most once a second; once in ten seconds where looks
   * learn next to nothing.
   */
  suspect(endpoint: Endpoint): void;
  /** The probe has changed: what it learnt next to nothing of is looked at again within an interval. */
  renew(): void;
  /** The pool has changed. Without being told, the checks see it within one interval. */
  update(): void;
  /** Gives up the looks that are under way, and ends. */
  close(): void;
}

/** The least time between two looks at a suspect, in milliseconds. */
const suspicionMs = 1_000;
/** The same, where looks learn next to nothing and may leave errors in its log. */
const futileSuspicionMs = 10_000;
/**
 * The pool is compared with what is looked at no more often than so many endpoints in a millisecond allow: ten thousand
 * once a second.
 */
const comparedPerMs = 10;
/** So many times in a row a failed look counts for nothing because this process was paused meanwhile. */
const mostVoided = 3;
/** Up to this part of the cadence is not waited for, so that endpoints, and gateways, are not in step. */
const jitterPart = 0.2;

/**
 * Looks at the endpoints of `pool` that are up, or that a dial has set aside with connections open, and reports to it:
 * a good verdict at once; a bad one from the `fall`th in a row on, up to which looks follow each other within a second.
 * So a failure of the endpoint in use is reported within `fall` × `intervalMs` + the probe's timeout, if that is no
 * longer than the interval.
 *
 * Where the cause may be the cluster's, the others are looked at first, so that the pool can tell; then it takes a look
 * that fails some time after another was found to be well. An error of this machine's own is no verdict, and neither is
 * a failed look during which this process was paused: it is made again.
 *
 * There is at most one look at an endpoint at a time, and 32 in all. Where more are due, the endpoint in use and the next
 * best come first, then those that are suspected, then those that were well; of these places some are kept for each, so
 * that endpoints that hang hold up none of the others.
 *
 * Looks that learn next to nothing ({@link Verdict.uninformative}) are made four times an hour, and on suspicion.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function checkHealth(options: CheckOptions): HealthChecks {
  const { probe, pool, observer, random = Math.random, clock = systemClock } = options;
  const { intervalMs = checkDefaults.intervalMs, fall = checkDefaults.fall } = options;
  if (!(intervalMs > 0 && intervalMs < 2 ** 31))
    throw new GatewayError("invalid-option", `intervalMs ${intervalMs} is not more than 0 and less than 2³¹`);
  if (!(Number.isInteger(fall) && fall >= 1))
    throw new GatewayError("invalid-option", `fall ${fall} is not a whole number from 1`);
  const cadence = cadenceOf(intervalMs);
  const watches = createWatches(cadence, clock, random);
  const levels = createLevels(observer);
  /** Of the looks that are under way. */
  const trackers = new Set<PauseTracker>();
  let closed = false;
  let stopTimer = (): void => {};

  let comparedAt = -Infinity;
  let compared = 0;
  /** Whether the pool was said to have changed since then. */
  let told = true;

  const compare = (now: number): void => {
    const statuses = pool.inspect();
    told = false;
    comparedAt = now;
    compared = statuses.length;
    watches.compare(statuses);
    levels.keep(statuses.map(({ endpoint }) => endpoint));
  };

  const wake = (): void => {
    stopTimer();
    if (closed) return;
    const now = clock.now();
    const mayCompareAt = comparedAt + Math.floor(compared / comparedPerMs);
    if (now >= mayCompareAt) compare(now);
    for (let watch = watches.dueBy(now); watch; watch = watches.dueBy(now)) look(watch);
    const compareAt = told ? Math.max(now, mayCompareAt) : comparedAt + intervalMs;
    stopTimer = clock.after(Math.max(0, Math.min(watches.nextDue, compareAt) - now), wake);
  };

  const look = (watch: Watch): void => {
    const startedAt = clock.now();
    const { endpoint, ending } = watch;
    const jitter = 1 - random() * jitterPart;
    Object.assign(watch, { startedAt, soonAt: Infinity, suspected: false, jitter });
    const looking = async (): Promise<void> => {
      const pauses = trackPauses(clock);
      trackers.add(pauses);
      const verdict = await lookOnce(endpoint, ending.signal);
      const paused = pauses.pausedMs() > 0;
      pauses.stop();
      trackers.delete(pauses);
      watch.running = undefined;
      if (!ending.signal.aborted && verdict) {
        tell(observer, "checked", { endpoint, verdict, tookMs: clock.now() - startedAt });
        if (paused && verdict.error && watch.voided < mostVoided) {
          // It may have answered meanwhile, and given up when nobody heard.
          watch.voided += 1;
          watch.soonAt = startedAt;
        } else {
          watch.voided = 0;
          void conclude(watch, startedAt, verdict);
        }
      }
      watches.changed(watch);
      wake();
    };
    watch.running = looking();
    watches.changed(watch);
  };

  /** A probe that fails, against its contract, tells nothing. */
  const lookOnce = async (endpoint: Endpoint, signal: AbortSignal): Promise<Verdict | undefined> => {
    try {
      return await probe(endpoint, signal);
    } catch {
      return undefined;
    }
  };

  const conclude = async (watch: Watch, startedAt: number, verdict: Verdict): Promise<void> => {
    const { endpoint } = watch;
    if (verdict.error?.isLocal) return;
    watch.futile = verdict.uninformative === true;
    if (!verdict.error) {
      Object.assign(watch, { failures: 0, wellAt: startedAt, aloneSince: Infinity });
      watches.changed(watch);
      levels.say(endpoint, verdict);
      return pool.report(endpoint, verdict, true);
    }
    watch.failures += 1;
    const { failures } = watch;
    if (failures < fall) watch.soonAt = startedAt + cadence.fastMs;
    watches.changed(watch);
    const shared = verdict.scope === "cluster";
    // What others were found to be before this look began tells nothing about a cause that all may have.
    const fresh = shared && (failures <= fall || watch.aloneSince < Infinity);
    const since = fresh ? startedAt : clock.now() - intervalMs;
    const others = lookAround(watch, since);
    if (shared) await Promise.all(others.map(({ running }) => running));
    // It was well meanwhile, or is no longer looked at.
    if (watch.failures < failures || watch.ending.signal.aborted) return;
    const alone = shared && isAlone(watch, startedAt, others, since);
    if (failures >= fall) pool.report(endpoint, verdict, alone);
  };

  /**
   * Whether a cause that all may have is the watched endpoint's own, as the look that began at `startedAt` found it still
   * some time after another was found to be well: an election is over for one member before it is for the next. Where
   * that time has yet to pass, it is looked at again soon.
   */
  const isAlone = (watch: Watch, startedAt: number, others: readonly Watch[], since: number): boolean => {
    if (others.every(other => other.failures > 0)) watch.aloneSince = Infinity;
    if (!others.some(other => other.up && other.failures === 0 && other.wellAt >= since)) return false;
    if (watch.aloneSince + cadence.fastMs / 2 <= startedAt) return true;
    watch.aloneSince = Math.min(watch.aloneSince, clock.now());
    watch.soonAt = (watch.startedAt ?? startedAt) + cadence.fastMs;
    watches.changed(watch);
    update();
    return false;
  };

  /** Has others looked at at which nobody has looked since then; returns them. */
  const lookAround = (watch: Watch, since: number): readonly Watch[] => {
    const others = watches.others(watch);
    for (const other of others)
      if (!other.running && (other.startedAt ?? -Infinity) < since && watches.hasRoom) look(other);
    return others;
  };

  const update = (): void => {
    told = true;
    stopTimer();
    // Later, since the pool may be in the middle of something.
    if (!closed) stopTimer = clock.after(0, wake);
  };

  update();
  return {
    update,
    suspect(endpoint) {
      const watch = watches.of(endpoint);
      if (!watch) return;
      const againMs = watch.futile ? futileSuspicionMs : suspicionMs;
      watch.soonAt = Math.min(watch.soonAt, (watch.startedAt ?? -Infinity) + againMs);
      watch.suspected = true;
      watches.changed(watch);
      update();
    },
    renew() {
      for (const { endpoint } of pool.inspect()) {
        const watch = watches.of(endpoint);
        if (!watch?.futile) continue;
        watch.soonAt = Math.min(watch.soonAt, clock.now() + random() * intervalMs);
        watches.changed(watch);
      }
      update();
    },
    close() {
      closed = true;
      stopTimer();
      watches.end();
      for (const pauses of trackers) pauses.stop();
    },
  };
}
