import {
  type Clock,
  createLimiter,
  createOutage,
  createReportOnce,
  type Endpoint,
  formatAddress,
  GatewayError,
  notify,
  type Observer,
} from "@gw/interface";
import { sameSet, union } from "./endpoint-sets.js";
import { type Check, checkRepeatedly, type RepeatedCheck } from "./repeated-check.js";

/** See the options of `validated`. */
export interface ValidatedSetOptions {
  /** Names the validation in events. */
  readonly source: string;
  readonly check: Check;
  readonly demands: (endpoint: Endpoint) => boolean;
  readonly concurrency: number;
  readonly minRefreshMs: number;
  readonly maxRefreshMs: number;
  readonly observer: Observer | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

/** The endpoints of a source that are valid by the results of their checks. */
export interface ValidatedSet {
  /** Sets the endpoints of the source. All of them are checked now. */
  offer(set: readonly Endpoint[]): void;
  /** Checks all endpoints now. */
  checkAll(): void;
  /** The set to yield now; undefined if it has not changed, or is not known yet. */
  next(): readonly Endpoint[] | undefined;
  /** Whether endpoints are checked, so that the set may change without a change of the source. */
  readonly hasChecks: boolean;
  stop(): void;
}

/** How long a new set waits for the first results of all its endpoints, if at least one is valid. In milliseconds. */
const firstResultsMs = 1_000;

/** Limits how often the results of many checks are applied: with ten thousand endpoints once a second. */
const endpointsPerMs = 10;

/** @param onChange called when `next` may return a new set; never called from within a method */
export function createValidatedSet(options: ValidatedSetOptions, onChange: () => void): ValidatedSet {
  const { demands, clock, observer } = options;
  const checks = new Map<string, RepeatedCheck>();
  const { concurrency: limit } = options;
  const limited = createLimiter({ limit, reserved: Math.floor(limit / 4) });
  const checkOptions = { ...options, limited, onResult: () => notifySoon() };
  const report = createRejectionReport(options.source, observer, clock);
  let offered: readonly Endpoint[] | undefined;
  let known: readonly Endpoint[] | undefined;
  let isWaiting = false;
  let cancelWait = (): void => {};
  let notifiedAt = -Infinity;
  let cancelNotification: (() => void) | undefined;

  /** Notifies of one result at once, or of several together, since each notification costs a pass over all endpoints. */
  const notifySoon = (): void => {
    if (cancelNotification) return;
    const notifyNow = (): void => {
      cancelNotification = undefined;
      notifiedAt = clock.now();
      onChange();
    };
    const waitMs = Math.floor((offered?.length ?? 0) / endpointsPerMs) - (clock.now() - notifiedAt);
    if (waitMs > 0) cancelNotification = clock.after(waitMs, notifyNow);
    else notifyNow();
  };

  const checkOf = (endpoint: Endpoint): RepeatedCheck | undefined => checks.get(formatAddress(endpoint));
  const isUsable = (endpoint: Endpoint): boolean => checkOf(endpoint)?.usable ?? true;
  const isChecked = (endpoint: Endpoint): boolean => checkOf(endpoint)?.checked ?? true;

  const checkAll = (): void => {
    for (const check of checks.values()) check.checkNow();
  };

  /** Starts checks of what is offered or in use, and stops all others. @param recheck also checks the remaining ones now */
  const updateChecks = (recheck: boolean): void => {
    const current = union([offered ?? [], known ?? []]).filter(demands);
    const names = new Set(current.map(formatAddress));
    for (const [name, check] of checks)
      if (!names.has(name)) {
        check.stop();
        checks.delete(name);
      }
    if (recheck) checkAll();
    for (const endpoint of current)
      if (!checkOf(endpoint)) checks.set(formatAddress(endpoint), checkRepeatedly(endpoint, checkOptions));
  };

  /** Removes an untrusted endpoint at once, but adds new ones only when all that are offered are checked. */
  const choose = (): readonly Endpoint[] | undefined => {
    if (!offered || offered.length === 0) return offered;
    const usable = offered.filter(isUsable);
    const allChecked = offered.every(isChecked);
    if (usable.length > 0 && (allChecked || !isWaiting)) return usable;
    const kept = known?.filter(isUsable);
    return kept?.length === 0 && !allChecked ? usable : kept;
  };

  return {
    offer(set) {
      offered = set;
      updateChecks(true);
      isWaiting = true;
      cancelWait();
      cancelWait = clock.after(firstResultsMs, () => {
        isWaiting = false;
        onChange();
      });
    },
    checkAll,
    next() {
      const set = choose();
      if (offered) report({ offered, used: set?.length ?? 0, checkOf });
      if (!set || (known && sameSet(known, set))) return undefined;
      known = Object.freeze([...set]);
      updateChecks(false);
      return known;
    },
    get hasChecks() {
      return checks.size > 0;
    },
    stop() {
      cancelWait();
      cancelNotification?.();
      for (const check of checks.values()) check.stop();
      checks.clear();
    },
  };
}

/** The state of the checks after a result, or a new set. */
interface CheckedSet {
  readonly offered: readonly Endpoint[];
  /** How many endpoints are in use now. */
  readonly used: number;
  /** Undefined for endpoints that are not checked. */
  readonly checkOf: (endpoint: Endpoint) => RepeatedCheck | undefined;
}

/** Notifies the observer which endpoints are rejected and why, once each until that changes. */
function createRejectionReport(
  source: string,
  observer: Observer | undefined,
  clock: Clock,
): (set: CheckedSet) => void {
  const reported = createReportOnce();
  const outage = createOutage(clock);

  return ({ offered, used, checkOf }) => {
    const results = offered.map(endpoint => ({ endpoint, check: checkOf(endpoint) }));
    const rejected = results.flatMap(({ endpoint, check }) =>
      check?.error && !check.usable ? [{ endpoint, error: check.error }] : [],
    );
    reported.retain(rejected.map(({ endpoint }) => formatAddress(endpoint)));
    for (const { endpoint, error } of rejected)
      if (reported.isNew(formatAddress(endpoint), error.detail))
        notify(observer, "endpointRejected", { source, endpoint, error });

    if (results.some(({ check }) => !check || check.usable)) {
      const ended = outage.succeeded();
      if (ended) notify(observer, "discoveryRecovered", { source, ...ended });
      return;
    }
    if (offered.length === 0 || rejected.length < offered.length) return;
    const error = summary(rejected.map(({ error }) => error));
    const failure = outage.failed(error.detail);
    if (!failure) return;
    const { ageMs } = failure;
    notify(observer, "discoveryFailed", {
      source,
      error,
      ...(used > 0 && ageMs !== undefined && { ageMs }),
    });
  };
}

/** How many reasons a summary lists. */
const maxReasons = 3;

function summary(errors: readonly GatewayError[]): GatewayError {
  const code = errors.find(error => error.code !== "untrusted")?.code ?? "untrusted";
  const reasons = errors.slice(0, maxReasons).map(({ detail }) => detail);
  const more = errors.length > maxReasons ? `; and ${errors.length - maxReasons} more` : "";
  const detail = `no endpoint of ${errors.length} passes: ${reasons.join("; ")}${more}`;
  return new GatewayError(code, detail, { cause: errors[0] });
}
