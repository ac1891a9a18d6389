import { type Address, formatAddress, type HealthObserver, type Observer } from "@gw/interface";
import { identityEvents } from "./identity-events.js";
import type { KeptEvents } from "./kept-events.js";
import { countOf, listOf, more, setOf, timeOf } from "./sentences.js";

const decision = { isDecision: true, repeatMs: 0 } as const;
/** Checks and retries of an endpoint come once in minutes; those with the same result are one item. */
const rare = { repeatMs: 900_000 } as const;
/** Those that may come for many endpoints at once. */
const downDecision = { ...decision, many: (count: number) => `${more(count, "was", "were")} marked down` };
const upDecision = { ...decision, many: (count: number) => `${more(count, "is", "are")} up again` };
const stillDown = {
  ...rare,
  many: (count: number) =>
    `${more(count, "was", "were")} tried again and ${count === 1 ? "is" : "are"} still down`,
};
const failedCheck = { ...rare, many: (count: number) => `The health checks of ${more(count)} failed` };
const healthyCheck = {
  ...rare,
  many: (count: number) => `The health checks of ${more(count)} succeeded again`,
};
/** Of how many endpoints it is known that their newest check failed. */
const maxUnhealthy = 10_000;

/** Records what is decided about endpoints, and their health checks. */
export function endpointEvents(events: KeptEvents, wallMs: () => number): Observer & HealthObserver {
  /** The oldest first. */
  const unhealthy = new Set<string>();
  const timeIn = (ms: number): string => new Date(wallMs() + ms).toISOString();
  return {
    ...identityEvents(events),
    endpointDown({ endpoint, error, retryInMs }) {
      const name = formatAddress(endpoint);
      const next =
        retryInMs > 0 ? `It is tried again in ${timeOf(retryInMs)}.` : "It is tried again at once.";
      events.keep(
        {
          event: "endpoint down",
          endpoint: name,
          reason: error.detail,
          data: { code: error.code, retryAt: timeIn(retryInMs) },
          text: `${name} was marked down: ${error.detail}. ${next}`,
        },
        downDecision,
      );
    },
    endpointStillDown({ endpoint, error, retryInMs }) {
      const name = formatAddress(endpoint);
      events.keep(
        {
          event: "endpoint still down",
          endpoint: name,
          reason: error.detail,
          data: { code: error.code, retryAt: timeIn(retryInMs) },
          text: `${name} was tried again and is still down: ${error.detail}. The next try is in ${timeOf(retryInMs)}.`,
        },
        stillDown,
      );
    },
    endpointUp({ endpoint, downMs }) {
      const name = formatAddress(endpoint);
      events.keep(
        {
          event: "endpoint up",
          endpoint: name,
          data: { downMs: Math.round(downMs) },
          text: `${name} is up again. It was down for ${timeOf(downMs)}.`,
        },
        upDecision,
      );
    },
    closingConnections({ endpoint, connections, withinMs, error }) {
      const name = formatAddress(endpoint);
      events.keep({
        event: "closing connections",
        endpoint: name,
        reason: error.detail,
        data: { connections, withinMs },
        text: `${countOf(connections, "connection")} to ${name} ${connections === 1 ? "is" : "are"} closed within ${timeOf(withinMs)}: ${error.detail}.`,
      });
    },
    recyclingConnections({ endpoint, connections, cause }) {
      const name = formatAddress(endpoint);
      const why = recyclingCauses[cause];
      events.keep({
        event: "recycling connections",
        endpoint: name,
        reason: why,
        data: { connections, cause },
        text: `${countOf(connections, "connection")} to ${name} ${connections === 1 ? "is" : "are"} closed so that the clients reconnect: ${why}.`,
      });
    },
    panic({ cause, endpoints, error }) {
      events.keep(
        {
          event: "panic",
          reason: error.detail,
          data: { cause, ...setOf(endpoints), code: error.code },
          text: `${panicCauses[cause]}, so failures are ignored and ${listOf(endpoints)} may be used all the same. The newest failure: ${error.detail}.`,
        },
        decision,
      );
    },
    panicOver({ panicMs }) {
      events.keep(
        {
          event: "panic over",
          data: { panicMs: Math.round(panicMs) },
          text: `The panic is over. It lasted ${timeOf(panicMs)}.`,
        },
        decision,
      );
    },
    selectorFailed({ error }) {
      events.keep({ event: "selector failed", reason: error.detail, text: `${error.detail}.` });
    },
    checked({ endpoint, verdict: { check, error, note }, depth, tookMs }) {
      // Nearly all checks are healthy ones that follow healthy ones.
      if (!error && unhealthy.size === 0) return;
      const name = formatAddress(endpoint);
      if (!error && !unhealthy.delete(name)) return;
      // Of one that was removed, nothing follows.
      if (error && unhealthy.size >= maxUnhealthy) unhealthy.delete(unhealthy.values().next().value ?? "");
      if (error) unhealthy.add(name);
      const took = `after ${timeOf(tookMs)}`;
      events.keep(
        {
          event: "health check",
          endpoint: name,
          reason: error?.detail ?? "healthy again",
          data: {
            check,
            depth,
            healthy: !error,
            code: error?.code,
            note,
            tookMs: Math.round(tookMs * 10) / 10,
          },
          text: error
            ? `The health check of ${name} (${check}) failed ${took}: ${error.detail}.`
            : `The health check of ${name} (${check}) succeeded again ${took}.`,
        },
        error ? failedCheck : healthyCheck,
      );
    },
    checkTypeChanged({ endpoint, check, note }) {
      const name = formatAddress(endpoint);
      events.keep({
        event: "health check type",
        endpoint: name,
        reason: note,
        data: { check },
        text: `${name} is checked by ${check} from now on${note === undefined ? "" : `: ${note}`}.`,
      });
    },
    ...pickEvents(events),
  };
}

/** Records which endpoint new connections go to. */
function pickEvents(events: KeptEvents): Observer {
  let inUse: Address | undefined;
  return {
    failover({ from, to, why }) {
      inUse = to;
      const names = { from: formatAddress(from), to: formatAddress(to) };
      events.keep(
        {
          event: "failover",
          endpoint: names.to,
          reason: why,
          data: names,
          text: `New connections go to ${names.to} instead of ${names.from}: ${why}.`,
        },
        decision,
      );
    },
    connected({ endpoint }) {
      // For each connection: with a policy that stays at one endpoint it is the same object.
      if (endpoint === inUse) return;
      const before = inUse;
      inUse = endpoint;
      if (before?.port === endpoint.port && before.host === endpoint.host) return;
      // Policies that alternate change it with each connection.
      if (before && events.repeat("pick changed", 10_000)) return;
      const data = { from: before && formatAddress(before), to: formatAddress(endpoint) };
      const text = before
        ? `The policy picked ${data.to}; the connection before went to ${data.from}.`
        : `The first connection went to ${data.to}.`;
      events.keep({ event: before ? "pick changed" : "first pick", data, text });
    },
  };
}

const recyclingCauses = {
  age: "they are older than --max-connection-age",
  balance: "other endpoints carry too few",
  policy: "the policy prefers another endpoint",
} as const;

const panicCauses = {
  "all-down": "All endpoints are down",
  "most-unhealthy": "Health checks failed for more endpoints than --panic-threshold allows",
  cluster: "The fault is the cluster's, and no endpoint is healthy",
} as const;
