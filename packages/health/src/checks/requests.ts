import {
  type CheckDepth,
  type Clock,
  type Endpoint,
  type EndpointFacts,
  type HealthObserver,
  messageOf,
  type Probe,
  type ProbeRequest,
  type Verdict,
} from "@gw/interface";
import { probeDefaults } from "../defaults.js";
import { type CheckTypes, notifyHealth } from "../observer.js";
import type { CheckedEndpoint } from "./checked-endpoint.js";
import { isWait } from "./suspicion.js";

/** The result of the requests of one check. */
export interface RequestResult {
  /** That of the last request, with the facts of all. */
  readonly verdict: Verdict;
  /** Of the last request. */
  readonly depth: CheckDepth;
  /** When the last request began. */
  readonly startedAt: number;
}

/** Because of clients that wait, a check of each depth has this part of the probe's timeout, and at least that of the default; */
const stallParts = { regular: 0.5, deep: 0.75 } as const;
/**
 * and a regular one, because of a stall, as little as half of that and this many round trips, if such checks have found
 * nothing but faults. A client that gave up may have waited for less than half as long, and proves less.
 */
const roundTrips = 10;

/**
 * The requests that a check makes one after the other, as long as they succeed.
 *
 * @param timeoutMs of the probe
 */
export function requestsFor(one: CheckedEndpoint, now: number, timeoutMs: number): readonly ProbeRequest[] {
  const { deep, clients, suspicion } = one;
  const stallLimitMs = (depth: CheckDepth): number => {
    const mostMs = Math.max(timeoutMs, probeDefaults.timeoutMs) * stallParts[depth];
    if (depth === "deep" || suspicion !== "stalled" || deep.hasFalseAlarms(now)) return mostMs;
    return Math.min(mostMs, Math.round(mostMs / 2 + one.roundTripMs * roundTrips));
  };
  const requestOf = (depth: CheckDepth): ProbeRequest =>
    isWait(suspicion) ? { depth, timeoutMs: stallLimitMs(depth) } : { depth };
  const [deepRequest, regularRequest] = [requestOf("deep"), requestOf("regular")];
  // The others are compared with it, and have as much time.
  if (deep.hasFailed) return [{ depth: "deep" }];
  if (isWait(suspicion)) {
    if (deep.isNext) return [deepRequest];
    deep.isOwed = true;
    return [regularRequest];
  }
  if (suspicion !== undefined) return deep.isAllowed(now) ? [regularRequest, deepRequest] : [regularRequest];
  if (one.failures > 0) return [regularRequest];
  const isOwed = clients.stalledAt !== undefined && deep.isOwed && deep.isAllowed(now);
  const isDue = one.role === "serving" && deep.isDue(now);
  return isOwed || isDue ? [deepRequest] : [regularRequest];
}

interface RequestContext {
  readonly probe: Probe;
  readonly clock: Clock;
  readonly observer: HealthObserver | undefined;
  readonly checkTypes: CheckTypes;
  readonly onFacts: ((endpoint: Endpoint, facts: EndpointFacts) => void) | undefined;
}

type MakeRequests = (
  one: CheckedEndpoint,
  requests: readonly ProbeRequest[],
) => Promise<RequestResult | undefined>;

/**
 * Makes the requests of a check until one fails, or the next one would learn nothing new. Each is reported. The result is
 * undefined if there is no verdict.
 */
export function createRequests({
  probe,
  clock,
  observer,
  checkTypes,
  onFacts,
}: RequestContext): MakeRequests {
  /** A probe that rejects, against its contract, has no verdict. */
  const probeOnce = async (one: CheckedEndpoint, request: ProbeRequest): Promise<Verdict | undefined> => {
    try {
      return await probe(one.endpoint, one.ending.signal, request);
    } catch {
      return undefined;
    }
  };
  const report = (endpoint: Endpoint, verdict: Verdict, depth: CheckDepth, tookMs: number): void => {
    notifyHealth(observer, "checked", { endpoint, verdict, depth, tookMs });
    if (!verdict.error) checkTypes.report(endpoint, verdict, depth);
    if (!verdict.facts || !onFacts) return;
    try {
      onFacts(endpoint, verdict.facts);
    } catch (error) {
      process.emitWarning(`gw: onFacts of health checks threw: ${messageOf(error)}`);
    }
  };
  return async (one, requests) => {
    let result: RequestResult | undefined;
    for (const { depth = "deep", timeoutMs } of requests) {
      const startedAt = clock.now();
      if (depth === "deep") one.deep.begin(startedAt);
      const verdict = await probeOnce(one, { depth, timeoutMs });
      if (one.ending.signal.aborted) return undefined;
      if (!verdict) return result;
      report(one.endpoint, verdict, depth, clock.now() - startedAt);
      result = { verdict: withFacts(verdict, result?.verdict.facts), depth, startedAt };
      if (verdict.error || verdict.uninformative || one.deep.isSameAs(verdict.check)) return result;
    }
    return result;
  };
}

/** A verdict with the facts of an earlier request, unless it has all of its own: what is absent there is known to be so. */
function withFacts(verdict: Verdict, earlier: EndpointFacts | undefined): Verdict {
  if (!earlier || verdict.facts?.memberId !== undefined) return verdict;
  return { ...verdict, facts: { ...earlier, ...verdict.facts } };
}
