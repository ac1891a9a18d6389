import type { CheckDepth, CheckedPool, Clock, ProbeRequest, Suspicion, Verdict } from "@gw/interface";
import { type Cadence, failingMs } from "./cadence.js";
import type { CheckedEndpoint } from "./checked-endpoint.js";
import type { RequestResult } from "./requests.js";
import type { Schedule } from "./schedule.js";
import { isWait, suspect } from "./suspicion.js";
import { LeaderTerms } from "./terms.js";

/** The result of a check. */
export interface CheckResult extends RequestResult {
  /** Why the endpoint was suspected before the check, if it was. */
  readonly suspicion: Suspicion | undefined;
}

export interface VerdictContext {
  readonly pool: CheckedPool;
  readonly cadence: Cadence;
  readonly schedule: Schedule;
  readonly clock: Clock;
  readonly random: () => number;
  /** Begins a check. There must be none of this endpoint under way. */
  check(one: CheckedEndpoint, requests?: readonly ProbeRequest[]): void;
  /** The schedule has changed. */
  onChange(): void;
}

/**
 * Works out what follows from the result of a check: whether it is reported to the pool, and as whose fault. A success is
 * reported at once, a failure from the `fall`th consecutive one on. A wait of a client which a check confirms is a failure itself.
 *
 * A fault that the whole cluster may have is the endpoint's own only if another one was found healthy by a check of the
 * same depth that began after the failure, and if the next check, some time later, fails as well.
 */
export function createVerdicts(context: VerdictContext): (one: CheckedEndpoint, result: CheckResult) => void {
  const { pool, cadence, schedule, clock, random } = context;
  const { fall, fastMs } = cadence;
  const terms = new LeaderTerms();

  const conclude = (one: CheckedEndpoint, result: CheckResult): void => {
    const { verdict, depth } = result;
    one.uninformative = verdict.uninformative === true;
    const isAlarm = result.suspicion !== undefined || one.clients.stalledAt !== undefined;
    if (depth === "deep") one.deep.end(verdict, isAlarm);
    if (verdict.error) void failed(one, result);
    else succeeded(one, result);
  };

  /**
   * A regular check does not confirm a stall: a deep one follows a moment later, if the client still waits or has given up.
   * When an election ends, the clients of all gateways have waited, and are answered in that moment.
   */
  const followWait = (one: CheckedEndpoint, verdict: Verdict, suspicion: Suspicion): void => {
    const { deep } = one;
    if (verdict.uninformative || deep.isSameAs(verdict.check)) deep.cancel();
    if (!deep.isOwed || !deep.isAllowed(clock.now())) return;
    deep.isNext = true;
    one.suspicion ??= suspicion;
    one.soonAt = Math.min(one.soonAt, clock.now() + fastMs * (0.25 + 0.25 * random()));
  };

  const succeeded = (one: CheckedEndpoint, { verdict, depth, startedAt, suspicion }: CheckResult): void => {
    // Its first check, too: it may be new, or have been down.
    const isRecovery = one.failures > 0 || one.healthyAt === -Infinity;
    Object.assign(one, { failures: 0, healthyAt: startedAt, anotherHealthySince: Infinity });
    one.roundTripMs = slowest(one.roundTripMs, verdict.facts?.roundTripMs);
    if (depth === "regular" && suspicion && isWait(suspicion)) followWait(one, verdict, suspicion);
    const now = clock.now();
    const isAgreed = depth === "deep";
    const isOutdated =
      verdict.facts !== undefined && terms.learn(verdict.facts, { startedAt, now, isAgreed });
    if (isOutdated && one.deep.isAllowed(now)) suspect(one, "outdated", now, fall);
    schedule.update(one);
    pool.report(one.endpoint, verdict, true);
    // A fault that others share with this one no longer may now be theirs alone.
    for (const other of isRecovery ? schedule.others(one) : []) {
      if (other.failures < fall) continue;
      other.soonAt = Math.min(other.soonAt, clock.now() + random() * fastMs);
      schedule.update(other);
    }
  };

  const failed = async (one: CheckedEndpoint, result: CheckResult): Promise<void> => {
    const { verdict, startedAt, suspicion } = result;
    const isConfirmed = one.failures === 0 && (isWait(suspicion) || isWait(one.suspicion));
    one.failures += isConfirmed ? 2 : 1;
    const { failures } = one;
    // From the end of the check, so that the others can be compared before the next one.
    one.failingMs = clock.now() - (one.startedAt ?? startedAt) + failingMs(failures, cadence, random);
    if (failures < fall) one.soonAt = startedAt + fastMs;
    schedule.update(one);
    const isShared = verdict.scope === "cluster";
    const depth = isShared ? result.depth : "regular";
    // Checks of others that began before this one prove nothing about a fault that all may have.
    const needsFresh = isShared && (failures <= fall || isConfirmed || one.anotherHealthySince < Infinity);
    const since = needsFresh ? startedAt : clock.now() - cadence.everyMs.serving;
    const others = schedule.others(one);
    // Clients may have to go there.
    const mayMatter = isShared || one.role === "serving" || one.next;
    const checks = mayMatter ? others.map(other => ensureChecked(other, since, depth)) : [];
    if (isShared) await Promise.all(checks);
    // It has succeeded meanwhile, or is no longer checked.
    if (one.failures < failures || one.ending.signal.aborted) return;
    const isOwn = isShared && isAnotherHealthy(one, { startedAt, others, since, depth });
    if (failures >= fall) pool.report(one.endpoint, verdict, isOwn);
  };

  /**
   * Whether another endpoint was found healthy some time before the check of this one that began at `startedAt` failed,
   * since an election ends for one member before it does for the next. If that time has yet to pass, the endpoint is checked
   * again soon.
   */
  const isAnotherHealthy = (one: CheckedEndpoint, comparison: Comparison): boolean => {
    const { startedAt, others, since, depth } = comparison;
    if (others.every(other => other.failures > 0)) one.anotherHealthySince = Infinity;
    const isHealthy = (other: CheckedEndpoint): boolean =>
      other.up && other.failures === 0 && healthyAt(other, depth) >= since;
    if (!others.some(isHealthy)) return false;
    if (one.anotherHealthySince + fastMs / 2 <= startedAt) return true;
    one.anotherHealthySince = Math.min(one.anotherHealthySince, clock.now());
    // A check that begins earlier could not decide it either.
    const checkedAt = one.startedAt ?? startedAt;
    one.soonAt = Math.max(checkedAt + fastMs, one.anotherHealthySince + fastMs / 2);
    one.failingMs = one.soonAt - checkedAt;
    schedule.update(one);
    context.onChange();
    return false;
  };

  /** Checks another endpoint, unless a check of this depth has begun since then; resolves when it is over. */
  const ensureChecked = async (other: CheckedEndpoint, since: number, depth: CheckDepth): Promise<void> => {
    const isChecked = (): boolean => checkedAt(other, depth) >= since;
    const begin = (): void => {
      if (isChecked() || other.running || other.ending.signal.aborted || !schedule.hasRoom) return;
      context.check(other, depth === "deep" ? [{ depth }] : undefined);
    };
    begin();
    await other.running;
    // A shallower check was under way.
    if (depth === "regular" || isChecked()) return;
    begin();
    await other.running;
  };
  return conclude;
}

/** A round trip that was slower counts less and less. */
function slowest(before: number, newest: number | undefined): number {
  if (newest === undefined) return before;
  return before === Infinity ? newest : Math.max(newest, (before + newest) / 2);
}

/** What a fault is compared with. */
interface Comparison {
  /** When the check that failed began. */
  readonly startedAt: number;
  readonly others: readonly CheckedEndpoint[];
  /** Checks of others that began before prove nothing. */
  readonly since: number;
  /** A shallower check of another endpoint proves nothing either. */
  readonly depth: CheckDepth;
}

function checkedAt({ startedAt = -Infinity, deep }: CheckedEndpoint, depth: CheckDepth): number {
  return depth === "deep" ? deep.startedAt : startedAt;
}

function healthyAt({ healthyAt: regularAt, deep }: CheckedEndpoint, depth: CheckDepth): number {
  return depth === "deep" ? deep.healthyAt : regularAt;
}
