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
import { createCheckTypes, type HealthObserver, notifyHealth } from "./observer.js";
import { createSchedule } from "./schedule.js";

/** Options of {@link checkHealth}. */
export interface CheckOptions {
  /** Makes one check. It belongs to the caller, who closes it after the checks if it has to be closed. */
  readonly probe: Probe;
  /** The pool whose endpoints are checked, and which gets the verdicts. */
  readonly pool: CheckedPool;
  /**
   * How often the endpoint in use and the next best are checked, in milliseconds, less up to a fifth at random. The others
   * are checked once in six intervals, and at least once a minute. @default 5000
   */
  readonly intervalMs?: number | undefined;
  /** How many consecutive failures are reported as one. @default 2 */
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
   * There is reason to suspect an endpoint: it is checked now, but at most once a second; once in ten seconds if its checks
   * are {@link Verdict.uninformative}.
   */
  suspect(endpoint: Endpoint): void;
  /** The probe has changed: endpoints whose checks were uninformative are checked again within an interval. */
  renew(): void;
  /** The pool has changed. Without this call, the checks notice within one interval. */
  update(): void;
  /** Aborts the checks that are under way, and ends. */
  close(): void;
}

/** The least time between two checks of a suspect, in milliseconds. */
const suspectMs = 1_000;
/** The same if its checks are uninformative, and may leave errors in its log. */
const uninformativeSuspectMs = 10_000;
/** The pool is read at most once in a time that grows with it: once a second with ten thousand endpoints. */
const endpointsReadPerMs = 10;
/** How many consecutive failures do not count because this process was paused meanwhile. */
const maxVoided = 3;
/** Up to this part of the cadence is not waited for, so that endpoints, and gateways, are not in step. */
const jitterPart = 0.2;

/**
 * Checks the endpoints of `pool` that are up, or that a dial has marked down with connections open, and reports to it: a
 * success at once; a failure from the `fall`th consecutive one on, which follow each other within a second. So a failure of
 * the endpoint in use is reported within `fall` × `intervalMs` + the probe's timeout, if that is not longer than the
 * interval.
 *
 * If the fault may be the cluster's, the other endpoints are checked first, so that the pool knows whether one is healthy;
 * and only a check that fails some time after that counts. An error of this machine's own is no verdict, and neither is a
 * failure of a check during which this process was paused: that check is repeated.
 *
 * There is at most one check of an endpoint at a time, and 32 in all. If more are due, the endpoint in use and the next best
 * come first, then suspects, then those that were healthy; each group keeps some of these places for itself, so that
 * endpoints that hang do not delay the others.
 *
 * Endpoints whose checks are {@link Verdict.uninformative} are checked four times an hour, and on suspicion.
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
  const schedule = createSchedule(cadence, clock, random);
  const checkTypes = createCheckTypes(observer);
  /** Of the checks that are under way. */
  const trackers = new Set<PauseTracker>();
  let isClosed = false;
  let stopTimer = (): void => {};

  let readAt = -Infinity;
  let endpointsRead = 0;
  /** Whether the pool has changed since then. */
  let isPoolChanged = true;

  const readPool = (now: number): void => {
    const statuses = pool.inspect();
    isPoolChanged = false;
    readAt = now;
    endpointsRead = statuses.length;
    schedule.adopt(statuses);
    checkTypes.retain(statuses.map(({ endpoint }) => endpoint));
  };

  const run = (): void => {
    stopTimer();
    if (isClosed) return;
    const now = clock.now();
    const mayReadAt = readAt + Math.floor(endpointsRead / endpointsReadPerMs);
    if (now >= mayReadAt) readPool(now);
    for (let watch = schedule.dueBy(now); watch; watch = schedule.dueBy(now)) check(watch);
    const nextReadAt = isPoolChanged ? Math.max(now, mayReadAt) : readAt + intervalMs;
    stopTimer = clock.after(Math.max(0, Math.min(schedule.nextDue, nextReadAt) - now), run);
  };

  const check = (watch: Watch): void => {
    const startedAt = clock.now();
    const { endpoint, ending } = watch;
    const jitter = 1 - random() * jitterPart;
    Object.assign(watch, { startedAt, soonAt: Infinity, suspected: false, jitter });
    const checking = async (): Promise<void> => {
      const pauses = trackPauses(clock);
      trackers.add(pauses);
      const verdict = await probeOnce(endpoint, ending.signal);
      const wasPaused = pauses.pausedMs() > 0;
      pauses.stop();
      trackers.delete(pauses);
      watch.running = undefined;
      if (!ending.signal.aborted && verdict) {
        notifyHealth(observer, "checked", { endpoint, verdict, tookMs: clock.now() - startedAt });
        if (wasPaused && verdict.error && watch.voided < maxVoided) {
          // It may have answered while this process did not run.
          watch.voided += 1;
          watch.soonAt = startedAt;
        } else {
          watch.voided = 0;
          void conclude(watch, startedAt, verdict);
        }
      }
      schedule.update(watch);
      run();
    };
    watch.running = checking();
    schedule.update(watch);
  };

  /** A probe that rejects, against its contract, has no verdict. */
  const probeOnce = async (endpoint: Endpoint, signal: AbortSignal): Promise<Verdict | undefined> => {
    try {
      return await probe(endpoint, signal);
    } catch {
      return undefined;
    }
  };

  const conclude = async (watch: Watch, startedAt: number, verdict: Verdict): Promise<void> => {
    const { endpoint } = watch;
    if (verdict.error?.isLocal) return;
    watch.uninformative = verdict.uninformative === true;
    if (!verdict.error) {
      Object.assign(watch, { failures: 0, healthyAt: startedAt, anotherHealthySince: Infinity });
      schedule.update(watch);
      checkTypes.report(endpoint, verdict);
      return pool.report(endpoint, verdict, true);
    }
    watch.failures += 1;
    const { failures } = watch;
    if (failures < fall) watch.soonAt = startedAt + cadence.fastMs;
    schedule.update(watch);
    const isShared = verdict.scope === "cluster";
    // Checks of others that began before this one prove nothing about a fault that all may have.
    const needsFresh = isShared && (failures <= fall || watch.anotherHealthySince < Infinity);
    const since = needsFresh ? startedAt : clock.now() - intervalMs;
    const others = checkOthers(watch, since);
    if (isShared) await Promise.all(others.map(({ running }) => running));
    // It has succeeded meanwhile, or is no longer checked.
    if (watch.failures < failures || watch.ending.signal.aborted) return;
    const isAlone = isShared && isAnotherHealthy(watch, startedAt, others, since);
    if (failures >= fall) pool.report(endpoint, verdict, isAlone);
  };

  /**
   * Whether a fault that all may have is this endpoint's own: its check that began at `startedAt` failed some time after
   * another endpoint was found healthy, since an election ends for one member before it does for the next. If that time has
   * yet to pass, the endpoint is checked again soon.
   */
  const isAnotherHealthy = (
    watch: Watch,
    startedAt: number,
    others: readonly Watch[],
    since: number,
  ): boolean => {
    if (others.every(other => other.failures > 0)) watch.anotherHealthySince = Infinity;
    if (!others.some(other => other.up && other.failures === 0 && other.healthyAt >= since)) return false;
    if (watch.anotherHealthySince + cadence.fastMs / 2 <= startedAt) return true;
    watch.anotherHealthySince = Math.min(watch.anotherHealthySince, clock.now());
    watch.soonAt = (watch.startedAt ?? startedAt) + cadence.fastMs;
    schedule.update(watch);
    update();
    return false;
  };

  /** Checks a few others that have not been checked since then, and returns all of them. */
  const checkOthers = (watch: Watch, since: number): readonly Watch[] => {
    const others = schedule.others(watch);
    for (const other of others)
      if (!other.running && (other.startedAt ?? -Infinity) < since && schedule.hasRoom) check(other);
    return others;
  };

  const update = (): void => {
    isPoolChanged = true;
    stopTimer();
    // Deferred, since the caller may be the pool in the middle of a change.
    if (!isClosed) stopTimer = clock.after(0, run);
  };

  update();
  return {
    update,
    suspect(endpoint) {
      const watch = schedule.of(endpoint);
      if (!watch) return;
      const againMs = watch.uninformative ? uninformativeSuspectMs : suspectMs;
      watch.soonAt = Math.min(watch.soonAt, (watch.startedAt ?? -Infinity) + againMs);
      watch.suspected = true;
      schedule.update(watch);
      update();
    },
    renew() {
      for (const { endpoint } of pool.inspect()) {
        const watch = schedule.of(endpoint);
        if (!watch?.uninformative) continue;
        watch.soonAt = Math.min(watch.soonAt, clock.now() + random() * intervalMs);
        schedule.update(watch);
      }
      update();
    },
    close() {
      isClosed = true;
      stopTimer();
      schedule.end();
      for (const pauses of trackers) pauses.stop();
    },
  };
}
