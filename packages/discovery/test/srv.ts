import { type Endpoint, formatAddress, type Observer } from "@gw/interface";
import { type DnsServer, queue } from "@gw/testing";
import { createDnsClient, type DnsClient, type SrvOptions, srv } from "../src/index.js";

/** A client of this server only, with a short timeout. */
export function dnsOf(server: Pick<DnsServer, "address">): DnsClient {
  return createDnsClient({ servers: [server.address], timeoutMs: 500, attempts: 1 });
}

/** Watches a source, and returns its sets and events. */
export function watchSrv(server: Pick<DnsServer, "address">, options: Partial<SrvOptions> = {}) {
  const sets = queue<readonly Endpoint[]>();
  const events = queue<string>();
  const observer: Observer = {
    discoveryFailed: ({ error }) => events.put(`failed: ${error.detail}`),
    discoveryRecovered: () => events.put("recovered"),
    unsecured: ({ why }) => events.put(`unsecured: ${why}`),
    endpointRejected: ({ endpoint, error }) =>
      events.put(`refused ${formatAddress(endpoint)}: ${error.detail}`),
  };
  const stop = new AbortController();
  const discovery = srv({
    domain: "example.com.",
    dns: dnsOf(server),
    minRefreshMs: 20,
    maxRefreshMs: 2_000,
    observer,
    ...options,
  });
  const ended = (async () => {
    for await (const set of discovery.watch({ signal: stop.signal })) sets.put(set);
  })();
  return {
    next: sets.take,
    nextEvent: events.take,
    ended,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended.catch(() => {});
    },
  };
}
