import type { EndpointTotals, Status } from "@gw/admin";

/** What happened per second between two statuses. */
export interface Rates {
  readonly accepted: number;
  readonly fromClients: number;
  readonly toClients: number;
  /** By endpoint; absent for one that was not in both. */
  readonly endpoints: ReadonlyMap<string, EndpointRates>;
}

/** Bytes per second in both directions. */
interface EndpointRates {
  readonly fromClients: number;
  readonly toClients: number;
}

/** Times that are further apart than this are not those of two measurements, in milliseconds. */
const longestMs = 600_000;

/** Rates between two statuses; undefined where the gateway was started again between them. */
export function ratesBetween(before: Status, after: Status): Rates | undefined {
  const ms = Date.parse(after.gateway.now) - Date.parse(before.gateway.now);
  const same =
    before.gateway.startedAt === after.gateway.startedAt && before.gateway.pid === after.gateway.pid;
  if (!same || !(ms > 0 && ms <= longestMs)) return undefined;
  const perSecond = (from: number, to: number): number => (Math.max(0, to - from) * 1000) / ms;
  const known = new Map<string, EndpointTotals>(before.endpoints.map(one => [one.endpoint, one.totals]));
  const endpoints = new Map<string, EndpointRates>();
  let [fromClients, toClients] = [0, 0];
  for (const { endpoint, totals } of after.endpoints) {
    const old = known.get(endpoint);
    if (!old) continue;
    const one = {
      fromClients: perSecond(old.bytesFromClient, totals.bytesFromClient),
      toClients: perSecond(old.bytesFromBackend, totals.bytesFromBackend),
    };
    endpoints.set(endpoint, one);
    fromClients += one.fromClients;
    toClients += one.toClients;
  }
  const accepted = perSecond(before.connections.accepted, after.connections.accepted);
  return { accepted, fromClients, toClients, endpoints };
}
