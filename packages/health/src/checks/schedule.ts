import {
  type CheckedPool,
  type Clock,
  type Endpoint,
  type EndpointStatus,
  formatAddress,
} from "@gw/interface";
import { type Cadence, dueAt } from "./cadence.js";
import { type CheckedEndpoint, createCheckedEndpoint } from "./checked-endpoint.js";
import { DeepChecks } from "./deep-checks.js";
import { DueHeap } from "./due-heap.js";
import { isChecked, nextCandidates, type Role } from "./roles.js";

/** Which endpoint is checked when: the state of all that are checked, by the time and urgency of their next check. */
export interface Schedule {
  of(endpoint: Endpoint): CheckedEndpoint | undefined;
  /** To be called when a check has begun or is over, or when the time of the next one has changed. */
  update(one: CheckedEndpoint): void;
  /** The next endpoint to check now, of those without a check under way. */
  dueBy(now: number): CheckedEndpoint | undefined;
  /** When the next check is due that could be made now; Infinity if none could. */
  readonly nextDue: number;
  /** Whether one more check could be made now. */
  readonly hasRoom: boolean;
  /** A few others, the best priority first, and the one that was last healthy. */
  others(one: CheckedEndpoint): readonly CheckedEndpoint[];
  /** Those without clients to which the next clients would go. */
  readonly candidates: readonly CheckedEndpoint[];
  /** Adopts the endpoints of the pool. The checks of those that are gone are aborted. */
  adopt(statuses: readonly EndpointStatus[]): void;
  /** Aborts all checks. */
  end(): void;
}

/** When an endpoint is lost, all gateways may see it at once: each checks its candidates within this time, in milliseconds. */
const candidateSpreadMs = 5_000;

/** How many others are checked when one fails: etcd advises at most seven members. */
const maxOthers = 6;

/**
 * How many checks may be under way when one of this urgency begins: at most 32 in all, since each takes a descriptor or
 * two that clients need as well. Less urgent checks leave room for more urgent ones, so that endpoints that hang, each of
 * which takes the probe's whole timeout, do not delay the others.
 */
const maxConcurrent: readonly number[] = [32, 28, 24, 16];

/**
 * Which checks come first when not all that are due can be made: 0 the endpoint in use and the candidates; 1 those that are
 * suspected, and those with clients; 2 those whose last check succeeded; 3 the rest.
 */
function urgencyOf({ next, suspicion, role, failures, healthyAt }: CheckedEndpoint): number {
  if (next) return 0;
  if (suspicion !== undefined || role === "serving") return 1;
  return failures === 0 && healthyAt > -Infinity ? 2 : 3;
}

interface ScheduleContext {
  readonly pool: CheckedPool;
  readonly cadence: Cadence;
  readonly clock: Clock;
  readonly random: () => number;
}

export function createSchedule({ pool, cadence, clock, random }: ScheduleContext): Schedule {
  const checked = new Map<string, CheckedEndpoint>();
  /** Those without a check under way, by urgency. */
  const heaps = maxConcurrent.map(() => new DueHeap<CheckedEndpoint>());
  const running = new Set<CheckedEndpoint>();
  let front: readonly CheckedEndpoint[] = [];
  let candidates: readonly CheckedEndpoint[] = [];
  let lastHealthy: CheckedEndpoint | undefined;

  const unqueue = (one: CheckedEndpoint): void => {
    if (one.place >= 0) heaps[one.urgency]?.delete(one);
  };
  const update = (one: CheckedEndpoint): void => {
    if (one.running !== undefined) running.add(one);
    else running.delete(one);
    if (one.failures === 0 && one.healthyAt > (lastHealthy?.healthyAt ?? -Infinity)) lastHealthy = one;
    const due = dueAt(one, cadence);
    const urgency = urgencyOf(one);
    if (one.running === undefined && one.place >= 0 && one.due === due && one.urgency === urgency) return;
    unqueue(one);
    if (one.running !== undefined || one.ending.signal.aborted) return;
    one.urgency = urgency;
    heaps[urgency]?.add(one, due);
  };
  /** @returns whether one of the others had clients, or was to get the next ones */
  const endAllBut = (names: { has(name: string): boolean }): boolean => {
    let isLoss = false;
    for (const [name, one] of checked)
      if (!names.has(name)) {
        isLoss ||= one.next || one.role === "serving";
        checked.delete(name);
        unqueue(one);
        if (one === lastHealthy) lastHealthy = undefined;
        one.ending.abort();
      }
    return isLoss;
  };
  /** The next clients go there soon, so that they should not find out themselves which of them are down. */
  const checkSoon = (one: CheckedEndpoint): void => {
    const now = clock.now();
    if ((one.startedAt ?? now) < now - cadence.everyMs.serving)
      one.soonAt = Math.min(
        one.soonAt,
        now + random() * Math.min(cadence.everyMs.serving, candidateSpreadMs),
      );
  };
  /** A candidate may serve clients whose connections are open too briefly to be seen. */
  const hasServed = (one: CheckedEndpoint, isCandidate: boolean): boolean => {
    const activity = isCandidate ? pool.activity?.(one.endpoint) : undefined;
    return activity !== undefined && one.clients.hasSent(activity);
  };
  const setRole = (one: CheckedEndpoint, { connections }: EndpointStatus, isCandidate: boolean): void => {
    const now = clock.now();
    const before = one.role;
    if (connections > 0 || hasServed(one, isCandidate)) one.servedAt = now;
    const role: Role = isCandidate ? "candidate" : "idle";
    one.role = one.servedAt + cadence.servedMs > now || connections > 0 ? "serving" : role;
    if (one.role === "serving" && before !== "serving") one.deep.beginServing(now);
  };
  return {
    of: endpoint => checked.get(formatAddress(endpoint)),
    update,
    dueBy(now) {
      for (const [urgency, heap] of heaps.entries())
        if (heap.first && heap.first.due <= now && running.size < (maxConcurrent[urgency] ?? 0))
          return heap.first;
      return undefined;
    },
    get hasRoom() {
      return running.size < Math.max(...maxConcurrent);
    },
    get nextDue() {
      const first = heaps.map(({ first }, urgency) =>
        running.size < (maxConcurrent[urgency] ?? 0) ? (first?.due ?? Infinity) : Infinity,
      );
      return Math.min(...first);
    },
    others(one) {
      const others = front.filter(other => other !== one && !other.ending.signal.aborted).slice(0, maxOthers);
      return lastHealthy && lastHealthy !== one && !others.includes(lastHealthy)
        ? [...others, lastHealthy]
        : others;
    },
    get candidates() {
      return candidates.filter(({ ending }) => !ending.signal.aborted);
    },
    adopt(statuses) {
      const all = statuses.filter(isChecked);
      const present = new Map(all.map(status => [nameOf(status.endpoint), status]));
      const next = new Set(nextCandidates(all));
      const isLoss = endAllBut(present);
      candidates = [];
      for (const [name, status] of present) {
        const { endpoint, state, inUse } = status;
        const isCandidate = next.has(status);
        // Spread out, as there may be many; but soon for those that matter.
        const isSoon = status.connections > 0 || isCandidate || inUse;
        const soonAt = (): number =>
          clock.now() + random() * (isSoon ? cadence.fastMs : cadence.everyMs.serving);
        const one =
          checked.get(name) ?? createCheckedEndpoint(endpoint, soonAt(), new DeepChecks(clock.now(), random));
        const up = state === "up";
        checked.set(name, Object.assign(one, { endpoint, up, next: up && (inUse || isCandidate) }));
        setRole(one, status, isCandidate);
        if (isCandidate) candidates = [...candidates, one];
        if (isCandidate && isLoss && !one.uninformative) checkSoon(one);
        update(one);
      }
      front = firstOf(checked.values(), maxOthers + 1);
    },
    end: () => void endAllBut(new Set()),
  };
}

/** The first `count`, the best priority first, else in the order given. */
function firstOf(all: Iterable<CheckedEndpoint>, count: number): readonly CheckedEndpoint[] {
  const byPriority = new Map<number, CheckedEndpoint[]>();
  for (const one of all) {
    const { priority } = one.endpoint;
    const some = byPriority.get(priority);
    if (!some) byPriority.set(priority, [one]);
    else if (some.length < count) some.push(one);
  }
  const priorities = [...byPriority.keys()].sort((one, other) => one - other);
  const first: CheckedEndpoint[] = [];
  for (const priority of priorities) {
    if (first.length >= count) break;
    first.push(...(byPriority.get(priority) ?? []));
  }
  return first.slice(0, count);
}

/** By endpoint: a pool returns the same objects each time. */
const names = new WeakMap<Endpoint, string>();

function nameOf(endpoint: Endpoint): string {
  const known = names.get(endpoint);
  if (known !== undefined) return known;
  const name = formatAddress(endpoint);
  names.set(endpoint, name);
  return name;
}
