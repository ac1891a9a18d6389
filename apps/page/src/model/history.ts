import type { ConnectionCounts, Status } from "@gw/admin";

/** What the charts show of one second. Null where it is not known: a gap in the chart. */
export interface Sample {
  /** Of the gateway's clock, in milliseconds since 1970. */
  readonly at: number;
  readonly open: number | null;
  /** Connections accepted a second. */
  readonly accepted: number | null;
  /** Bytes a second from the endpoints. */
  readonly toClients: number | null;
  /** Bytes a second from the clients. */
  readonly toEndpoints: number | null;
  /** From accept to connection, on average and at most, of the dials since the sample before. Null if there were none. */
  readonly dialMean: number | null;
  readonly dialMost: number | null;
  readonly waiting: number | null;
  readonly longestWaitMs: number | null;
}

/** How many samples are kept: five minutes. */
export const samplesKept = 300;

/** Statuses further apart leave a gap, as nothing is known of the time between. */
const longestGapMs = 5_000;

/** The samples of the last minutes, made of what grew between two statuses. */
export interface History {
  readonly samples: readonly Sample[];
  /** When the first sample was taken, also when it is no longer kept. */
  readonly since: number | undefined;
  /** Of each endpoint, between the last two statuses. */
  readonly rates: ReadonlyMap<string, Rates>;
  add(status: Status): void;
}

/** Bytes a second. */
export interface Rates {
  readonly toClients: number;
  readonly toEndpoint: number;
}

export function createHistory(): History {
  let samples: readonly Sample[] = [];
  let since: number | undefined;
  let rates: ReadonlyMap<string, Rates> = new Map();
  let last: { readonly status: Status; readonly at: number } | undefined;

  return {
    get samples() {
      return samples;
    },
    get since() {
      return since;
    },
    get rates() {
      return rates;
    },
    add(status) {
      const at = Date.parse(status.gateway.now) || Date.now();
      // A clock that was set back would make charts run backwards.
      if (last && at < last.at) samples = [];
      else if (last && at === last.at) return;
      const sameRun = last?.status.gateway.startedAt === status.gateway.startedAt;
      const gap = last !== undefined && (!sameRun || at - last.at > longestGapMs);
      const added = gap && samples.length > 0 ? [unknown(at - 1)] : [];
      const before = last && !gap && at > last.at ? last : undefined;
      since ??= at;
      const grown = before && growth(status, before.status, (at - before.at) / 1_000);
      rates = grown?.rates ?? new Map();
      samples = [...samples, ...added, sample(status, at, before, grown)].slice(-samplesKept);
      last = { status, at };
    },
  };
}

function sample(
  status: Status,
  at: number,
  last: { readonly status: Status; readonly at: number } | undefined,
  grown: Growth | undefined,
): Sample {
  const { connections } = status;
  const now = { at, open: connections.open, waiting: connections.waiting };
  const longestWaitMs = connections.longestWaitMs;
  if (!last || !grown) return { ...unknown(at), ...now, longestWaitMs };
  const seconds = (at - last.at) / 1_000;
  return {
    ...now,
    longestWaitMs,
    accepted: perSecond(connections.accepted - last.status.connections.accepted, seconds),
    toClients: perSecond(grown.fromBackend, seconds),
    toEndpoints: perSecond(grown.fromClient, seconds),
    dialMean: grown.connected > 0 ? grown.dialMs / grown.connected : null,
    dialMost: slowest(connections, last.status.connections),
  };
}

function unknown(at: number): Sample {
  return {
    at,
    open: null,
    accepted: null,
    toClients: null,
    toEndpoints: null,
    dialMean: null,
    dialMost: null,
    waiting: null,
    longestWaitMs: null,
  };
}

function perSecond(amount: number, seconds: number): number {
  return Math.max(0, amount) / seconds;
}

interface Growth {
  readonly fromClient: number;
  readonly fromBackend: number;
  readonly connected: number;
  readonly dialMs: number;
  readonly rates: ReadonlyMap<string, Rates>;
}

/** What the totals of the endpoints that both statuses have grew by. */
function growth(status: Status, before: Status, seconds: number): Growth {
  const earlier = new Map(before.endpoints.map(one => [one.endpoint, one.totals]));
  const sum = { fromClient: 0, fromBackend: 0, connected: 0, dialMs: 0 };
  const rates = new Map<string, Rates>();
  for (const { endpoint, totals } of status.endpoints) {
    const old = earlier.get(endpoint);
    // One that came meanwhile may have totals of long ago.
    if (!old) continue;
    const fromClient = Math.max(0, totals.bytesFromClient - old.bytesFromClient);
    const fromBackend = Math.max(0, totals.bytesFromBackend - old.bytesFromBackend);
    rates.set(endpoint, { toClients: fromBackend / seconds, toEndpoint: fromClient / seconds });
    sum.fromClient += fromClient;
    sum.fromBackend += fromBackend;
    sum.connected += Math.max(0, totals.connected - old.connected);
    sum.dialMs += Math.max(0, totals.dialMsSum - old.dialMsSum);
  }
  return { ...sum, rates };
}

/** The bound of the highest bucket in which a dial was counted meanwhile; of the last bucket its lower bound. */
function slowest(now: ConnectionCounts, before: ConnectionCounts): number | null {
  const grown = now.dialCounts.map((count, index) => count - (before.dialCounts[index] ?? 0));
  const all = grown.at(-1) ?? 0;
  if (all <= 0) return null;
  const index = grown.findIndex(count => count >= all);
  return now.dialBucketsMs[index] ?? now.dialBucketsMs.at(-1) ?? null;
}
