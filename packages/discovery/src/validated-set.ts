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

/** What {@link createVetting} works with; see the options of `validated`. */
export interface VettingOptions {
  readonly name: string;
  readonly check: Check;
  readonly demands: (endpoint: Endpoint) => boolean;
  readonly concurrency: number;
  readonly minRefreshMs: number;
  readonly maxRefreshMs: number;
  readonly observer: Observer | undefined;
  readonly clock: Clock;
  readonly random: () => number;
}

/** The checks of one watch, and the set that follows from them. */
export interface Vetting {
  /** The source has a new set: all of it is checked now. */
  offer(set: readonly Endpoint[]): void;
  /** Checks all endpoints now. */
  again(): void;
  /** The set to yield now; undefined where nothing changed or nothing is known yet. */
  next(): readonly Endpoint[] | undefined;
  /** Whether something is checked, so that the set may change without the source's doing. */
  readonly busy: boolean;
  stop(): void;
}

/** For how long a new set waits for first verdicts that are still out, once there is something to yield. */
const patienceMs = 1_000;

/** Verdicts on many endpoints are followed no more often than this allows: on ten thousand once a second. */
const chosenPerMs = 10;

/** @param onNews called when `next` may have something new; never from within a call */
export function createVetting(options: VettingOptions, onNews: () => void): Vetting {
  const { demands, clock, observer } = options;
  const checks = new Map<string, RepeatedCheck>();
  const { concurrency: limit } = options;
  const limited = createLimiter({ limit, reserved: Math.floor(limit / 4) });
  const checkOptions = { ...options, limited, onVerdict: () => tellSoon() };
  const report = refusals(options.name, observer, clock);
  let offered: readonly Endpoint[] | undefined;
  let known: readonly Endpoint[] | undefined;
  let patient = false;
  let stopPatience = (): void => {};
  let toldAt = -Infinity;
  let stopTelling: (() => void) | undefined;

  /** Tells of a verdict at once, or of several together, since each is followed by a look at all endpoints. */
  const tellSoon = (): void => {
    if (stopTelling) return;
    const tell = (): void => {
      stopTelling = undefined;
      toldAt = clock.now();
      onNews();
    };
    const waitMs = Math.floor((offered?.length ?? 0) / chosenPerMs) - (clock.now() - toldAt);
    if (waitMs > 0) stopTelling = clock.after(waitMs, tell);
    else tell();
  };

  const checkOf = (endpoint: Endpoint): RepeatedCheck | undefined => checks.get(formatAddress(endpoint));
  const usable = (endpoint: Endpoint): boolean => checkOf(endpoint)?.usable ?? true;
  const judged = (endpoint: Endpoint): boolean => checkOf(endpoint)?.judged ?? true;

  const again = (): void => {
    for (const check of checks.values()) check.again();
  };

  /** Checks what is offered or in use, and nothing else; `anew` also what has been checked already. */
  const follow = (anew: boolean): void => {
    const followed = union([offered ?? [], known ?? []]).filter(demands);
    const names = new Set(followed.map(formatAddress));
    for (const [name, check] of checks)
      if (!names.has(name)) {
        check.stop();
        checks.delete(name);
      }
    if (anew) again();
    for (const endpoint of followed)
      if (!checkOf(endpoint)) checks.set(formatAddress(endpoint), checkRepeatedly(endpoint, checkOptions));
  };

  /** An untrusted endpoint is out at once; what is new waits until all that is offered is judged. */
  const choose = (): readonly Endpoint[] | undefined => {
    if (!offered || offered.length === 0) return offered;
    const good = offered.filter(usable);
    const settled = offered.every(judged);
    if (good.length > 0 && (settled || !patient)) return good;
    const held = known?.filter(usable);
    return held?.length === 0 && !settled ? good : held;
  };

  return {
    offer(set) {
      offered = set;
      follow(true);
      patient = true;
      stopPatience();
      stopPatience = clock.after(patienceMs, () => {
        patient = false;
        onNews();
      });
    },
    again,
    next() {
      const set = choose();
      if (offered) report({ offered, held: set?.length ?? 0, verdictOn: checkOf });
      if (!set || (known && sameSet(known, set))) return undefined;
      known = Object.freeze([...set]);
      follow(false);
      return known;
    },
    get busy() {
      return checks.size > 0;
    },
    stop() {
      stopPatience();
      stopTelling?.();
      for (const check of checks.values()) check.stop();
      checks.clear();
    },
  };
}

/** What is known after a verdict, or a new set. */
interface Standing {
  readonly offered: readonly Endpoint[];
  /** How many endpoints are in use now. */
  readonly held: number;
  /** Absent for those that are not checked. */
  readonly verdictOn: (endpoint: Endpoint) => RepeatedCheck | undefined;
}

/** Tells the observer what is refused and why, each thing once while it is so. */
function refusals(
  source: string,
  observer: Observer | undefined,
  clock: Clock,
): (standing: Standing) => void {
  const reported = createReportOnce();
  const outage = createOutage(clock);

  return ({ offered, held, verdictOn }) => {
    const checked = offered.map(endpoint => ({ endpoint, verdict: verdictOn(endpoint) }));
    const refused = checked.flatMap(({ endpoint, verdict }) =>
      verdict?.error && !verdict.usable ? [{ endpoint, error: verdict.error }] : [],
    );
    reported.retain(refused.map(({ endpoint }) => formatAddress(endpoint)));
    for (const { endpoint, error } of refused)
      if (reported.isNew(formatAddress(endpoint), error.detail))
        notify(observer, "endpointRejected", { source, endpoint, error });

    if (checked.some(({ verdict }) => !verdict || verdict.usable)) {
      const ended = outage.succeeded();
      if (ended) notify(observer, "discoveryRecovered", { source, ...ended });
      return;
    }
    if (offered.length === 0 || refused.length < offered.length) return;
    const error = summary(refused.map(({ error }) => error));
    const isNew = outage.failed(error.detail);
    if (!isNew) return;
    const { ageMs } = isNew;
    notify(observer, "discoveryFailed", {
      source,
      error,
      ...(held > 0 && ageMs !== undefined && { ageMs }),
    });
  };
}

/** How many reasons a summary has room for. */
const most = 3;

function summary(errors: readonly GatewayError[]): GatewayError {
  const code = errors.find(error => error.code !== "untrusted")?.code ?? "untrusted";
  const reasons = errors.slice(0, most).map(({ detail }) => detail);
  const more = errors.length > most ? `; and ${errors.length - most} more` : "";
  const detail = `no endpoint of ${errors.length} passes: ${reasons.join("; ")}${more}`;
  return new GatewayError(code, detail, { cause: errors[0] });
}
