import { type Endpoint, formatAddress, type RelayEnd } from "@gw/interface";

/** Endpoints with series of their own. The series of all others are one, so that `/metrics` stays below 3 MB. */
export const maxEndpointSeries: number = 1_000;
/** Endpoints outside the set whose counts are kept, the most recent ones. */
const maxRemovedEndpoints = 1_000;

/** How a relayed connection ended, in the order of their counts. */
export const endReasons: readonly RelayEnd["reason"][] = [
  "finished",
  "client-failed",
  "backend-failed",
  "timed-out",
  "closed",
  "aborted",
];

/** What was counted for one endpoint. All times are in milliseconds. */
export interface EndpointCounts {
  connected: number;
  /** By reason, in the order of {@link endReasons}. */
  readonly closed: number[];
  dialFailures: number;
  dialMsSum: number;
  stalls: number;
  markedDown: number;
  failedRetries: number;
  failedChecks: number;
  /** Of connections that have ended. */
  bytesFromClient: number;
  bytesFromBackend: number;
}

/** The counts of one endpoint, and what decides whether they are kept. */
export interface EndpointRecord {
  readonly name: string;
  readonly counts: EndpointCounts;
  /** Decided once, so that no series moves to that of the others and back. */
  readonly hasSeries: boolean;
  /** The most that was shown of its bytes, those of open connections included: they must not shrink when these end. */
  readonly shown: { bytesFromClient: number; bytesFromBackend: number };
  /** Whether it is one of the set. */
  isCurrent: boolean;
  /** Whether its counts went into {@link EndpointRecords.forgotten}. */
  isForgotten: boolean;
}

/** The counts of the endpoints of the set, and of the most recent ones that left it. */
export interface EndpointRecords {
  /** Creates the record if there is none. */
  of(endpoint: Endpoint): EndpointRecord;
  get(name: string): EndpointRecord | undefined;
  all(): Iterable<EndpointRecord>;
  /** The sums of all endpoints whose records are no longer kept. */
  readonly forgotten: EndpointCounts;
  added(endpoint: Endpoint): void;
  removed(endpoint: Endpoint): void;
}

export function createEndpointRecords(): EndpointRecords {
  const records = new Map<string, EndpointRecord>();
  /** Those outside the set, in the order in which they left it. */
  const outside = new Set<EndpointRecord>();
  /** Saves to format an address for each event: the pool reports an endpoint as the same object. */
  const known = new WeakMap<Endpoint, EndpointRecord>();
  const forgotten = noCounts();
  let series = 0;

  function forgetOldest(): void {
    for (const record of outside) {
      if (outside.size <= maxRemovedEndpoints) return;
      outside.delete(record);
      records.delete(record.name);
      addCounts(forgotten, { ...record.counts, ...shownBytes(record) });
      record.isForgotten = true;
      if (record.hasSeries) series--;
    }
  }

  function of(endpoint: Endpoint): EndpointRecord {
    const cached = known.get(endpoint);
    if (cached && !cached.isForgotten) return cached;
    const name = formatAddress(endpoint);
    let record = records.get(name);
    if (!record) {
      const hasSeries = series < maxEndpointSeries;
      const shown = { bytesFromClient: 0, bytesFromBackend: 0 };
      record = { name, counts: noCounts(), hasSeries, shown, isCurrent: false, isForgotten: false };
      if (hasSeries) series++;
      records.set(name, record);
      outside.add(record);
      known.set(endpoint, record);
      forgetOldest();
    }
    known.set(endpoint, record);
    return record;
  }

  return {
    of,
    get: name => records.get(name),
    all: () => records.values(),
    forgotten,
    added(endpoint) {
      const record = of(endpoint);
      record.isCurrent = true;
      outside.delete(record);
    },
    removed(endpoint) {
      const record = of(endpoint);
      record.isCurrent = false;
      outside.delete(record);
      outside.add(record);
      forgetOldest();
    },
  };
}

/** The bytes to show. @param withOpen those of its connections, the open ones included, if they are known */
export function shownBytes(
  { counts, shown }: EndpointRecord,
  withOpen: Pick<EndpointCounts, "bytesFromClient" | "bytesFromBackend"> = counts,
): EndpointRecord["shown"] {
  for (const side of ["bytesFromClient", "bytesFromBackend"] as const)
    shown[side] = Math.max(shown[side], counts[side], withOpen[side]);
  return shown;
}

export function noCounts(): EndpointCounts {
  return {
    connected: 0,
    closed: endReasons.map(() => 0),
    dialFailures: 0,
    dialMsSum: 0,
    stalls: 0,
    markedDown: 0,
    failedRetries: 0,
    failedChecks: 0,
    bytesFromClient: 0,
    bytesFromBackend: 0,
  };
}

export function addCounts(to: EndpointCounts, from: EndpointCounts): void {
  to.connected += from.connected;
  from.closed.forEach((count, reason) => {
    to.closed[reason] = (to.closed[reason] ?? 0) + count;
  });
  to.dialFailures += from.dialFailures;
  to.dialMsSum += from.dialMsSum;
  to.stalls += from.stalls;
  to.markedDown += from.markedDown;
  to.failedRetries += from.failedRetries;
  to.failedChecks += from.failedChecks;
  to.bytesFromClient += from.bytesFromClient;
  to.bytesFromBackend += from.bytesFromBackend;
}
