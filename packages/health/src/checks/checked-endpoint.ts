import type { Endpoint, Suspicion } from "@gw/interface";
import type { DeepChecks } from "./deep-checks.js";
import type { Due } from "./due-heap.js";
import { ClientEvidence } from "./evidence.js";
import type { Role } from "./roles.js";

/** The state of the checks of one endpoint. Times are in milliseconds on the clock of the checks. */
export interface CheckedEndpoint extends Due {
  endpoint: Endpoint;
  /** Whether it takes new connections. */
  up: boolean;
  role: Role;
  /** Whether it is the endpoint in use, or a candidate. */
  next: boolean;
  /** When it last had a client; -Infinity if that was never seen. */
  servedAt: number;
  /** What its clients show. */
  readonly clients: ClientEvidence;
  /** Its deep checks. */
  readonly deep: DeepChecks;

  /** When the newest check began; undefined before the first. */
  startedAt: number | undefined;
  /** The check that is under way. It never rejects. */
  running: Promise<void> | undefined;
  /** Aborted when the endpoint is no longer checked. */
  readonly ending: AbortController;
  /** When the newest check began that succeeded. */
  healthyAt: number;
  /** The slowest of the last round trips of checks, in milliseconds, where older ones count less; Infinity if none is known. */
  roundTripMs: number;
  /** Since when another endpoint has been healthy while this one was not; Infinity if that is not so. */
  anotherHealthySince: number;
  /** Whether the newest check learnt next to nothing, as the next one would. */
  uninformative: boolean;
  /** Consecutive checks that failed; a wait of a client that the first of them confirmed is one more. */
  failures: number;
  /** How long after the beginning of the newest check the next one is due, while it fails and that has no consequence. */
  failingMs: number;
  /** Consecutive failures that did not count, since this process was paused meanwhile. */
  voided: number;

  /** When to check at the latest, however often it is checked otherwise. */
  soonAt: number;
  /** Why it is suspected, until the check that follows. */
  suspicion: Suspicion | undefined;
  /** When the newest check began that a wait of a client has caused; -Infinity if there was none. */
  stallCheckedAt: number;
  /** When the newest check is due, or was, that a connection has caused which was open for long; -Infinity if there was none. */
  endedCheckAt: number;
  /** Stops the avoidance of the endpoint by new connections, or the wait for it; undefined if there is neither. */
  endAvoidance: (() => void) | undefined;
  /** Which heap it waits in; see `urgencyOf`. */
  urgency: number;
  /** The part of each wait that is waited for, so that neither endpoints nor gateways are in step. */
  jitter: number;
}

/** The state of an endpoint whose first check is due at `soonAt`. */
export function createCheckedEndpoint(endpoint: Endpoint, soonAt: number, deep: DeepChecks): CheckedEndpoint {
  return {
    endpoint,
    up: true,
    role: "idle",
    next: false,
    servedAt: -Infinity,
    clients: new ClientEvidence(),
    deep,
    startedAt: undefined,
    running: undefined,
    ending: new AbortController(),
    healthyAt: -Infinity,
    roundTripMs: Infinity,
    anotherHealthySince: Infinity,
    uninformative: false,
    failures: 0,
    failingMs: 0,
    voided: 0,
    soonAt,
    suspicion: undefined,
    stallCheckedAt: -Infinity,
    endedCheckAt: -Infinity,
    endAvoidance: undefined,
    urgency: 3,
    jitter: 1,
    due: soonAt,
    place: -1,
  };
}
