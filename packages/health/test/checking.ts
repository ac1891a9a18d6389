import {
  type CheckedPool,
  type Endpoint,
  type EndpointActivity,
  type EndpointFacts,
  type EndpointStatus,
  formatAddress,
  GatewayError,
  type Verdict,
} from "@gw/interface";
import { type ManualClock, manualClock } from "@gw/testing";
import { type CheckOptions, checkHealth, type HealthChecks } from "../src/index.js";

/** An endpoint by its number. */
export function endpoint(number: number, priority = 0): Endpoint {
  return Object.freeze({ host: `e${number}`, port: 2379, priority, weight: 0 });
}

export const good: Verdict = { check: "tcp", scope: "endpoint" };
export const bad: Verdict = verdictOf("timed-out", "endpoint");
export const shared: Verdict = verdictOf("unhealthy", "cluster");
/** What checks of an etcd member find. */
export const status: Verdict = { check: "etcd status", scope: "endpoint" };
export const deep: Verdict = { check: "etcd /readyz", scope: "endpoint" };

/** Different numbers in [0, 1), the same ones each time. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

export function verdictOf(
  code: ConstructorParameters<typeof GatewayError>[0],
  scope: Verdict["scope"],
): Verdict {
  return { check: "tcp", scope, error: new GatewayError(code, "it fails") };
}

/** Checks of a pool that does as the test says, on a clock that the test moves. */
export interface Checking {
  readonly clock: ManualClock;
  readonly checks: HealthChecks;
  /** What the pool has. `use`, `connect` and `endpointDown` change it without a notification. */
  readonly statuses: Map<string, EndpointStatus>;
  /** The endpoint with this number, and no other, is in use and has a connection. */
  use(number: number): void;
  connect(number: number, connections: number): void;
  /** What clients see, by endpoint; those without an entry have sent nothing, and nobody waits for them. */
  readonly activity: Map<number, Partial<EndpointActivity>>;
  endpointDown(number: number, rest?: Partial<EndpointStatus>): void;
  remove(number: number): void;
  /** What each check will find; those without an entry find `good`. */
  readonly finds: Map<number, Verdict>;
  /** What each deep check will find, if it is not the same. */
  readonly findsDeep: Map<number, Verdict>;
  /** `e1 abc`: each time that facts were reported, of which endpoint and cluster. */
  readonly facts: string[];
  /** How long each check takes, in milliseconds. */
  tookMs: number;
  /** How long deep checks of some endpoints take. */
  readonly deepTookMs: Map<number, number>;
  /** `12000 e1`: when each check began, and of which endpoint; `12000 e1 deep` for a deep one. */
  readonly checked: string[];
  /** `12000 e1 ok`, `12000 e1 timed-out`, or `12000 e1 unhealthy alone` if others are known to be free of that. */
  readonly reports: string[];
  /** `2025 e1`, `3000 e1 no longer`: from and until when an endpoint was to be avoided. */
  readonly avoided: string[];
  /** Endpoints of which a check takes no time. */
  readonly quick: Set<number>;
  /** The most checks that were under way at the same time. */
  readonly mostOfAll: number;
  /** How often the pool was asked how all its endpoints are. */
  readonly inspections: number;
  /** The most checks of one endpoint that were under way at the same time. */
  readonly mostAtOnce: number;
}

export function startChecking(endpoints: readonly Endpoint[], options: Partial<CheckOptions> = {}): Checking {
  const clock = manualClock();
  const statuses = new Map(
    endpoints.map((one): [string, EndpointStatus] => [
      formatAddress(one),
      { endpoint: one, state: "up", unhealthy: false, inUse: false, connections: 0, since: 0 },
    ]),
  );
  const change = (number: number, to: Partial<EndpointStatus>): void => {
    const name = formatAddress(endpoint(number));
    const status = statuses.get(name);
    if (status) statuses.set(name, { ...status, ...to });
  };
  const underWay = new Map<string, number>();
  const pool: CheckedPool = {
    inspect() {
      checking.inspections += 1;
      return [...statuses.values()];
    },
    activity: ({ host }) => ({
      connections: statuses.get(`${host}:2379`)?.connections ?? 0,
      bytes: 0,
      answeredMs: Infinity,
      waitingMs: 0,
      ...checking.activity.get(Number(host.slice(1))),
    }),
    avoid: ({ host }, isAvoided) =>
      void avoided.push(`${clock.now()} ${host}${isAvoided ? "" : " no longer"}`),
    report({ host }, { error, scope }, elsewhere) {
      const alone = scope === "cluster" && elsewhere ? " alone" : "";
      reports.push(`${clock.now()} ${host} ${error?.code ?? "ok"}${alone}`);
    },
  };
  let running = 0;
  const checked: string[] = [];
  const reports: string[] = [];
  const facts: string[] = [];
  const avoided: string[] = [];
  const checking = {
    tookMs: 0,
    deepTookMs: new Map<number, number>(),
    mostAtOnce: 0,
    mostOfAll: 0,
    inspections: 0,
    quick: new Set<number>(),
    finds: new Map<number, Verdict>(),
    findsDeep: new Map<number, Verdict>(),
    activity: new Map<number, Partial<EndpointActivity>>(),
  };
  const checks = checkHealth({
    pool,
    clock,
    // Halfway: waits are 95 % of the cadence, the first ones 55 %, and first checks are at half of their time.
    random: () => 0.5,
    onFacts: ({ host }, { clusterId }: EndpointFacts) => facts.push(`${host} ${clusterId}`),
    async probe({ host }, signal, request) {
      const isDeep = request?.depth !== "regular";
      checked.push(`${clock.now()} ${host}${isDeep ? " deep" : ""}`);
      underWay.set(host, (underWay.get(host) ?? 0) + 1);
      checking.mostAtOnce = Math.max(checking.mostAtOnce, underWay.get(host) ?? 0);
      running += 1;
      checking.mostOfAll = Math.max(checking.mostOfAll, running);
      const number = Number(host.slice(1));
      const deepTookMs = isDeep ? checking.deepTookMs.get(number) : undefined;
      const tookMs = deepTookMs ?? (checking.quick.has(number) ? 0 : checking.tookMs);
      await new Promise<void>((resolve, reject) => {
        const cancel = clock.after(Math.min(tookMs, request?.timeoutMs ?? Infinity), resolve);
        signal.onabort = () => {
          cancel();
          reject(new GatewayError("aborted", "given up"));
        };
      }).finally(() => {
        running -= 1;
        underWay.set(host, (underWay.get(host) ?? 0) - 1);
      });
      return (isDeep && checking.findsDeep.get(number)) || (checking.finds.get(number) ?? good);
    },
    ...options,
  });
  return Object.assign(checking, {
    clock,
    checks,
    statuses,
    checked,
    reports,
    facts,
    avoided,
    use(number: number) {
      for (const [name, status] of statuses) statuses.set(name, { ...status, inUse: false, connections: 0 });
      change(number, { inUse: true, connections: 1 });
    },
    connect: (number: number, connections: number) => change(number, { connections }),
    endpointDown: (number: number, rest: Partial<EndpointStatus> = {}) =>
      change(number, { state: "down", inUse: false, connections: 0, ...rest }),
    remove: (number: number) => void statuses.delete(formatAddress(endpoint(number))),
  });
}
