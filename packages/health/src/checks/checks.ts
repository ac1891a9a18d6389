import {
  type CheckedPool,
  type Clock,
  type Endpoint,
  type EndpointFacts,
  GatewayError,
  type HealthObserver,
  type PauseTracker,
  type Probe,
  type Suspicion,
  systemClock,
  trackPauses,
  type Verdict,
} from "@gw/interface";
import { checkDefaults, probeDefaults } from "../defaults.js";
import { createCheckTypes } from "../observer.js";
import { cadenceOf, isCheckNeeded, jitterOf } from "./cadence.js";
import type { CheckedEndpoint } from "./checked-endpoint.js";
import { createRequests, requestsFor } from "./requests.js";
import { createSchedule } from "./schedule.js";
import { isWait, suspect } from "./suspicion.js";
import { createVerdicts } from "./verdicts.js";

/** Options of {@link checkHealth}. */
export interface CheckOptions {
  /** Makes one check. It belongs to the caller, who closes it after the checks if it has to be closed. */
  readonly probe: Probe;
  /** The pool whose endpoints are checked, and which gets the verdicts. */
  readonly pool: CheckedPool;
  /**
   * How often an endpoint with clients is checked that sends them nothing, in milliseconds, less up to a tenth at random. The
   * other cadences are multiples of it. @default 10000
   */
  readonly intervalMs?: number | undefined;
  /** How many consecutive failures are reported as one. @default 2 */
  readonly fall?: number | undefined;
  /**
   * The timeout of the probe, in milliseconds. While a client waits, a regular check has a quarter of it and ten round trips,
   * but no more than half; half if the client only gave up, and after false alarms. A deep one has three quarters. None has
   * less than with the default. @default 2000
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Called with what an endpoint says of itself, each time it says something, before its verdict is reported. It must be
   * quick; what it throws becomes a process warning.
   */
  readonly onFacts?: ((endpoint: Endpoint, facts: EndpointFacts) => void) | undefined;
  /** A number in [0, 1), for jitter. @default Math.random */
  readonly random?: (() => number) | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
  readonly observer?: HealthObserver | undefined;
}

/** Checks that run until they are closed. */
export interface HealthChecks {
  /**
   * There is reason to suspect an endpoint: it is checked now, first as cheaply as possible, then deeply. At most once in ten
   * seconds because of clients that wait or gave up and if its checks are {@link Verdict.uninformative}, else at most once a second.
   *
   * @param why @default "lost"
   */
  suspect(endpoint: Endpoint, why?: Suspicion): void;
  /** The probe has changed: endpoints whose checks were uninformative are checked again within an interval. */
  renew(): void;
  /** The pool has changed. Without this call, the checks notice within one interval. */
  update(): void;
  /** Aborts the checks that are under way, and ends. */
  close(): void;
}

/** The pool is read at most once in a time that grows with it: once a second with ten thousand endpoints. */
const endpointsReadPerMs = 10;
/** An endpoint at which clients wait is avoided when its check takes longer than this, in milliseconds, */
const usualMs = 25;
/** and this many round trips, if it has told how long one takes. */
const usualRoundTrips = 3;
/**
 * A failure does not count if this process was paused for this long during the check, in milliseconds: connections may have
 * been lost meanwhile. For shorter pauses it is enough that they extend the timeout.
 */
const voidingMs = 250;
/** How many consecutive failures do not count because of that. */
const maxVoided = 3;

/**
 * Checks the endpoints of `pool` that are up, or that a dial has marked down with connections open, and reports to it: a
 * success at once; a failure from the `fall`th consecutive one on, which follow each other within a second.
 *
 * | endpoint | regular check, with `intervalMs` of 10 s |
 * |---|---|
 * | has clients, and sends them nothing | each interval |
 * | has clients, and answers them | once in two minutes; a recent answer is as good as a check |
 * | has none: the one in use, or one of the next best, two in all | once in four minutes |
 * | any other | once in ten minutes |
 *
 * So a failure of an endpoint with clients is reported within `fall` × `intervalMs` + the probe's timeout, and if a client
 * waits, or has given up, within about a second after {@link HealthChecks.suspect}: the wait is the first failure, the check
 * the second.
 *
 * A deep check follows a suspicion that the regular check does not confirm, less often after false alarms. It is also made of
 * endpoints with clients once in 10 to 12 minutes, and of an endpoint whose last deep check failed.
 *
 * If the fault may be the cluster's, the other endpoints are checked first, so that the pool knows whether one is healthy;
 * and only a check that fails some time after that counts. An error of this machine's own is no verdict, and neither is a
 * failure of a check during which this process was paused: that check is repeated.
 *
 * There is at most one check of an endpoint at a time, and 32 in all. If more are due, the endpoint in use and the candidates
 * come first, then suspects, then those that were healthy; each group keeps some of these places for itself, so that
 * endpoints that hang do not delay the others.
 *
 * Endpoints whose checks are {@link Verdict.uninformative} are checked four times an hour, and on suspicion.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function checkHealth(options: CheckOptions): HealthChecks {
  const { probe, pool, observer, onFacts, random = Math.random, clock = systemClock } = options;
  const { intervalMs = checkDefaults.intervalMs, fall = checkDefaults.fall } = options;
  const { timeoutMs = probeDefaults.timeoutMs } = options;
  if (!(intervalMs > 0 && intervalMs < 2 ** 31))
    throw new GatewayError("invalid-option", `intervalMs ${intervalMs} is not more than 0 and less than 2³¹`);
  if (!(timeoutMs > 0 && timeoutMs < 2 ** 31))
    throw new GatewayError("invalid-option", `timeoutMs ${timeoutMs} is not more than 0 and less than 2³¹`);
  if (!(Number.isInteger(fall) && fall >= 1))
    throw new GatewayError("invalid-option", `fall ${fall} is not a whole number from 1`);
  const cadence = cadenceOf(intervalMs, fall);
  const schedule = createSchedule({ pool, cadence, clock, random });
  const checkTypes = createCheckTypes(observer);
  const makeRequests = createRequests({ probe, clock, observer, checkTypes, onFacts });
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
    for (let one = schedule.dueBy(now); one; one = schedule.dueBy(now)) checkIfNeeded(one, now);
    const nextReadAt = isPoolChanged ? Math.max(now, mayReadAt) : readAt + intervalMs;
    stopTimer = clock.after(Math.max(0, Math.min(schedule.nextDue, nextReadAt) - now), run);
  };

  const checkIfNeeded = (one: CheckedEndpoint, now: number): void => {
    if (isCheckNeeded(one, () => pool.activity?.(one.endpoint), now, cadence)) check(one);
    else schedule.update(one);
  };

  const check = (one: CheckedEndpoint, requests = requestsFor(one, clock.now(), timeoutMs)): void => {
    const startedAt = clock.now();
    const { suspicion } = one;
    const jitter = jitterOf(one.startedAt === undefined, random);
    if (isWait(suspicion) && !one.deep.isNext) one.stallCheckedAt = startedAt;
    Object.assign(one, { startedAt, soonAt: Infinity, suspicion: undefined, jitter });
    const checking = async (): Promise<void> => {
      const pauses = trackPauses(clock);
      trackers.add(pauses);
      if (isWait(suspicion)) avoidUntilAnswered(one);
      const result = await makeRequests(one, requests);
      one.endAvoidance?.();
      one.endAvoidance = undefined;
      const wasPaused = pauses.pausedMs() >= voidingMs;
      pauses.stop();
      trackers.delete(pauses);
      one.running = undefined;
      if (!result || result.verdict.error?.isLocal)
        again(one, startedAt + (suspicion ? cadence.fastMs : intervalMs), suspicion);
      else if (wasPaused && result.verdict.error && one.voided < maxVoided) {
        // It may have answered while this process did not run.
        one.voided += 1;
        again(one, startedAt, suspicion);
      } else {
        one.voided = 0;
        conclude(one, { ...result, suspicion });
      }
      schedule.update(one);
      run();
    };
    one.running = checking();
    schedule.update(one);
    // Not again and again because of false alarms.
    if (suspicion !== undefined && one.deep.isAllowed(startedAt)) checkCandidates(one);
  };

  /** Clients wait for `one`: if the check that is under way takes longer than usual, the next ones should not. */
  const avoidUntilAnswered = (one: CheckedEndpoint): void => {
    // More clients that wait must not put it off.
    if (one.endAvoidance) return;
    const { endpoint, roundTripMs } = one;
    const roundTripsMs = roundTripMs < Infinity ? roundTripMs * usualRoundTrips : 0;
    one.endAvoidance = clock.after(usualMs + roundTripsMs, () => {
      pool.avoid?.(endpoint, true);
      one.endAvoidance = () => pool.avoid?.(endpoint, false);
    });
  };

  /** The check of `one` has no verdict. */
  const again = (one: CheckedEndpoint, atMs: number, suspicion: Suspicion | undefined): void => {
    one.suspicion ??= suspicion;
    if (one.role !== "idle" || one.suspicion) one.soonAt = Math.min(one.soonAt, atMs);
  };

  /** Clients may have to leave `suspect`: those that they would go to are checked, unless they were a moment ago. */
  const checkCandidates = (suspect: CheckedEndpoint): void => {
    for (const one of suspect.role === "serving" ? schedule.candidates : []) {
      const isFresh = one.running !== undefined || (one.startedAt ?? -Infinity) >= clock.now() - intervalMs;
      if (one !== suspect && !isFresh && !one.uninformative && schedule.hasRoom) check(one);
    }
  };

  const update = (): void => {
    isPoolChanged = true;
    stopTimer();
    // Deferred, since the caller may be the pool in the middle of a change.
    if (!isClosed) stopTimer = clock.after(0, run);
  };

  const conclude = createVerdicts({ pool, cadence, schedule, clock, random, check, onChange: update });

  update();
  return {
    update,
    suspect(endpoint, why = "lost") {
      const one = schedule.of(endpoint);
      if (!one) return;
      suspect(one, why, clock.now(), fall);
      if (one.running && isWait(why)) avoidUntilAnswered(one);
      schedule.update(one);
      update();
    },
    renew() {
      for (const { endpoint } of pool.inspect()) {
        const one = schedule.of(endpoint);
        if (!one?.uninformative) continue;
        one.soonAt = Math.min(one.soonAt, clock.now() + random() * intervalMs);
        schedule.update(one);
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
