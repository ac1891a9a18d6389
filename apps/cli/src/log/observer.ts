import type { HealthObserver } from "@gw/health";
import {
  type Address,
  type Clock,
  type Endpoint,
  formatAddress,
  type Observer,
  systemClock,
} from "@gw/interface";
import type { Logger } from "pino";
import { formatDuration } from "../flags/duration.js";

/** What can happen to every client in turn is said once, then counted, then said again after this time. */
const quietMs = 60_000;
/** What can happen to an endpoint again and again is said this often within that time. */
const fewTimes = 10;

/** How many endpoints are told apart in counting that; names may come from the network without end. */
const maxNames = 10_000;

/** Writes what happens to endpoints at info and warn, and what happens to each connection at debug. */
export function logObserver(log: Logger, clock: Clock = systemClock): Observer & HealthObserver {
  const refused = sometimes(clock);
  const unserved = sometimes(clock);
  const acceptFailures = sometimes(clock, fewTimes);
  const loops = sometimes(clock);
  const selectorFailures = sometimes(clock);
  const panics = sometimes(clock, fewTimes);
  const recycled = sometimes(clock, fewTimes);
  // DNS can name as many endpoints as it likes.
  const refusals = sometimes(clock, fewTimes * 10);
  const failures = sometimes(clock, fewTimes);
  const states = new Map<string, Sometimes>();
  const ofEndpoint = (
    what: string,
    endpoint: Endpoint,
  ): { readonly name: string; readonly say: Sometimes } => {
    const name = formatAddress(endpoint);
    const say = states.get(`${what} ${name}`) ?? sometimes(clock, fewTimes);
    states.set(`${what} ${name}`, say);
    if (states.size > maxNames) states.delete(states.keys().next().value ?? "");
    return { name, say };
  };
  return {
    poolChanged({ added, removed }) {
      if (!log.isLevelEnabled("debug")) return;
      log.debug({ added: namesOf(added), removed: namesOf(removed) }, "pool changed");
    },
    discovered({ source, why, added, removed, changed }) {
      const moved = changed.length > 0 ? { changed: namesOf(changed, withShare) } : {};
      log.info(
        { source, why, added: namesOf(added), removed: namesOf(removed), ...moved },
        "endpoints changed",
      );
    },
    discoveryFailed({ source, error, ageMs }) {
      const kept = ageMs === undefined ? {} : { lastGood: `${formatDuration(ageMs)} ago` };
      // Where nothing can be trusted, nothing is left: that is no outage that the last good set bridges.
      const level = error.code === "untrusted" ? "error" : "warn";
      failures(before =>
        log[level]({ source, why: error.detail, ...kept, ...before }, "endpoints cannot be looked up"),
      );
    },
    discoveryRecovered({ source, failedMs }) {
      log.info({ source, failedFor: formatDuration(failedMs) }, "endpoints can be looked up again");
    },
    endpointRejected({ source, endpoint, error }) {
      const name = formatAddress(endpoint);
      refusals(before =>
        log.warn({ source, endpoint: name, why: error.detail, ...before }, "endpoint refused"),
      );
    },
    unsecured({ source, why }) {
      log.warn({ source, why }, "SRV records are not secured");
    },
    endpointUnreachable({ source, endpoint, error }) {
      log.warn(
        { source, endpoint: formatAddress(endpoint), why: error.detail },
        "endpoint cannot be reached from here",
      );
    },
    closingConnections({ endpoint, connections, withinMs, error }) {
      const { name, say } = ofEndpoint("closing", endpoint);
      const within = formatDuration(withinMs);
      say(before =>
        log.info(
          { endpoint: name, connections, within, why: error.detail, ...before },
          "closing connections to an endpoint",
        ),
      );
    },
    recyclingConnections({ endpoint, connections, cause }) {
      recycled(before =>
        log.info(
          { endpoint: formatAddress(endpoint), connections, why: recyclingCauses[cause], ...before },
          "closing connections, so that they are made anew",
        ),
      );
    },
    checkTypeChanged({ endpoint, check, note }) {
      const { name, say } = ofEndpoint("checkTypeChanged", endpoint);
      const noted = note === undefined ? {} : { note };
      say(before => log.info({ endpoint: name, by: check, ...noted, ...before }, "health check"));
    },
    ...(log.isLevelEnabled("trace") &&
      ({
        checked({ endpoint, verdict: { check, error, note }, tookMs }) {
          const why = error && { why: error.detail };
          log.trace(
            { endpoint: formatAddress(endpoint), by: check, note, ...why, tookMs: round(tookMs) },
            "probed",
          );
        },
      } satisfies HealthObserver)),
    endpointDown({ endpoint, error, retryInMs }) {
      const { name, say } = ofEndpoint("endpointDown", endpoint);
      const retryIn = retryInMs > 0 ? formatDuration(retryInMs) : "checked now";
      say(before =>
        log.warn({ endpoint: name, why: error.detail, retryIn, ...before }, "endpoint set aside"),
      );
    },
    endpointStillDown({ endpoint, error, retryInMs }) {
      const { name, say } = ofEndpoint("endpointStillDown", endpoint);
      const retryIn = retryInMs > 0 ? formatDuration(retryInMs) : "checked now";
      say(before =>
        log.info({ endpoint: name, why: error.detail, retryIn, ...before }, "endpoint still fails"),
      );
    },
    endpointUp({ endpoint, downMs }) {
      const { name, say } = ofEndpoint("back", endpoint);
      const asideFor = formatDuration(downMs);
      say(before => log.info({ endpoint: name, asideFor, ...before }, "endpoint is back"));
    },
    failover({ from, to, why }) {
      const { name, say } = ofEndpoint("switched", to);
      say(before => log.info({ from: formatAddress(from), to: name, why, ...before }, "switched endpoint"));
    },
    panic({ cause, endpoints, error }) {
      panics(before =>
        log.warn({ endpoints: namesOf(endpoints), why: error.detail, ...before }, panicCauses[cause]),
      );
    },
    panicOver({ panicMs }) {
      panics(before =>
        log.info({ lasted: formatDuration(panicMs), ...before }, "there is an endpoint to rely on again"),
      );
    },
    selectorFailed({ error }) {
      selectorFailures(before =>
        log.error({ why: error.detail, ...before }, "the selector failed: picking at random in its place"),
      );
    },
    limitReached({ limit }) {
      refused(before => log.warn({ limit, ...before }, "connection limit reached: refusing new clients"));
    },
    listenSkipped({ address, error }) {
      log.warn({ address: formatAddress(address), why: error.detail }, "not listening on an address");
    },
    acceptFailed({ error }) {
      acceptFailures(before => log.error({ why: error.detail, ...before }, "cannot accept clients"));
    },
    unserved({ connection, error }) {
      log.debug({ connection, why: error.detail }, "client closed unserved");
      unserved(before => log.warn({ why: error.detail, ...before }, "no endpoint could serve a client"));
    },
    dialFailed({ connection, endpoint, error }) {
      log.debug({ connection, endpoint: formatAddress(endpoint), why: error.detail }, "dial failed");
      if (error.code !== "self-loop") return;
      loops(before =>
        log.error(
          { endpoint: formatAddress(endpoint), why: error.detail, ...before },
          "endpoint leads back to this gateway",
        ),
      );
    },
    ...(log.isLevelEnabled("debug") && eachConnection(log)),
  };
}

const panicCauses = {
  "all-down": "all endpoints are set aside: trying them all the same",
  "most-unhealthy": "health checks find fault with most endpoints: using them all the same",
  cluster: "no endpoint is well, so that none is left for another",
} as const;

const recyclingCauses = {
  age: "they are older than --max-connection-age",
  balance: "other endpoints carry too few",
} as const;

/** What happens to every client. Where nobody reads that, it costs nothing. */
function eachConnection(log: Logger): Observer {
  return {
    accepted({ connection, client }) {
      log.debug({ connection, client: formatAddress(client) }, "accepted");
    },
    connected({ connection, endpoint, address, dialMs }) {
      log.debug(
        {
          connection,
          endpoint: formatAddress(endpoint),
          address: formatAddress(address),
          dialMs: round(dialMs),
        },
        "connected",
      );
    },
    closed({ connection, endpoint, reason, error, bytesFromClient, bytesFromBackend }) {
      const why = error && { why: error.detail };
      log.debug(
        { connection, endpoint: formatAddress(endpoint), reason, ...why, bytesFromClient, bytesFromBackend },
        "closed",
      );
    },
  };
}

/** Calls `say` if it is its turn, and tells it how many were kept back before. */
export type Sometimes = (say: (before: { readonly unsaid?: number }) => void) => void;

/** Lets the first `times` calls through, and as many after each `quietMs`. */
export function sometimes(clock: Clock, times = 1): Sometimes {
  let until = -Infinity;
  let said = 0;
  let unsaid = 0;
  return say => {
    if (clock.now() >= until) {
      until = clock.now() + quietMs;
      said = 0;
    }
    if (said >= times) {
      unsaid += 1;
      return;
    }
    said += 1;
    say(unsaid > 0 ? { unsaid } : {});
    unsaid = 0;
  };
}

function withShare(endpoint: Endpoint): string {
  return `${formatAddress(endpoint)} priority ${endpoint.priority} weight ${endpoint.weight}`;
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}

/** How many endpoints one line of the log names. */
const mostNamed = 20;

/** `host:port` of each, for a line of the log; of thousands the first 20, and how many more there are. */
export function namesOf<Of extends Address>(
  endpoints: readonly Of[],
  nameOf: (endpoint: Of) => string = formatAddress,
): readonly string[] {
  const names = endpoints.slice(0, mostNamed).map(nameOf);
  const more = endpoints.length - names.length;
  return more > 0 ? [...names, `and ${more} more`] : names;
}
