import { type Clock, type Endpoint, formatAddress, type Observer, systemClock } from "@gw/interface";
import type { Logger } from "pino";
import { formatDuration } from "./duration.js";

/** What can happen to every client in turn is said once, then counted, then said again after this time. */
const quietMs = 60_000;

/** Writes what happens to endpoints at info and warn, and what happens to each connection at debug. */
export function logObserver(log: Logger, clock: Clock = systemClock): Observer {
  const refused = sometimes(clock);
  const unserved = sometimes(clock);
  const loops = sometimes(clock);
  let endpointsKnown = false;
  return {
    endpointsChanged({ added, removed }) {
      // The first set is what the ready line tells.
      if (endpointsKnown) log.info({ added: names(added), removed: names(removed) }, "endpoints changed");
      endpointsKnown = true;
    },
    setAside({ endpoint, error, retryInMs }) {
      const retryIn = formatDuration(retryInMs);
      log.warn({ endpoint: formatAddress(endpoint), why: error.detail, retryIn }, "endpoint set aside");
    },
    stillAside({ endpoint, error, retryInMs }) {
      const retryIn = formatDuration(retryInMs);
      log.info({ endpoint: formatAddress(endpoint), why: error.detail, retryIn }, "endpoint still fails");
    },
    back({ endpoint, asideMs }) {
      log.info({ endpoint: formatAddress(endpoint), asideFor: formatDuration(asideMs) }, "endpoint is back");
    },
    switched({ from, to, why }) {
      log.info({ from: formatAddress(from), to: formatAddress(to), why }, "switched endpoint");
    },
    lastChance({ endpoints }) {
      log.warn({ endpoints: names(endpoints) }, "all endpoints are set aside: trying them all the same");
    },
    selectorFailed({ error }) {
      log.error({ why: error.detail }, "the selector failed: picking at random in its place");
    },
    refused({ limit }) {
      refused(before => log.warn({ limit, ...before }, "connection limit reached: refusing new clients"));
    },
    acceptFailed({ error }) {
      log.error({ why: error.detail }, "cannot accept clients");
    },
    unserved({ connection, error }) {
      log.debug({ connection, why: error.detail }, "client closed unserved");
      unserved(before => log.warn({ why: error.detail, ...before }, "no endpoint could serve a client"));
    },
    accepted({ connection, client }) {
      log.debug({ connection, client: formatAddress(client) }, "accepted");
    },
    dialFailed({ connection, endpoint, error }) {
      log.debug({ connection, endpoint: formatAddress(endpoint), why: error.detail }, "dial failed");
      if (error.code !== "self-loop") return;
      loops(before =>
        log.error({ endpoint: formatAddress(endpoint), ...before }, "endpoint is this gateway itself"),
      );
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

/** Lets the first call through, then one each `quietMs`, which is told how many were kept back before it. */
function sometimes(clock: Clock): (say: (before: { readonly unsaid?: number }) => void) => void {
  let next = -Infinity;
  let unsaid = 0;
  return say => {
    if (clock.now() < next) {
      unsaid += 1;
      return;
    }
    next = clock.now() + quietMs;
    say(unsaid > 0 ? { unsaid } : {});
    unsaid = 0;
  };
}

function names(endpoints: readonly Endpoint[]): string[] {
  return endpoints.map(formatAddress);
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
