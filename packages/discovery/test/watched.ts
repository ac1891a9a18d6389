import { type Discovery, type Endpoint, formatAddress, type Observer } from "@gw/interface";
import { type Queue, queue } from "@gw/testing";

/** The events of a source, in their order: `discovered +a:1 -b:2`, `discoveryFailed [code] detail`. */
export interface RecordedEvents extends Observer {
  readonly events: Queue<string>;
}

export function recordEvents(): RecordedEvents {
  const events = queue<string>();
  const names = (sign: string, endpoints: readonly Endpoint[]): readonly string[] =>
    endpoints.map(endpoint => sign + formatAddress(endpoint));
  return {
    events,
    discovered: ({ added, removed }) =>
      events.put(["discovered", ...names("+", added), ...names("-", removed)].join(" ")),
    discoveryFailed: ({ error }) => events.put(`discoveryFailed ${error.message}`),
    discoveryRecovered: () => events.put("discoveryRecovered"),
    endpointRejected: ({ error }) => events.put(`endpointRejected ${error.message}`),
    endpointUnreachable: ({ error }) => events.put(`endpointUnreachable ${error.message}`),
  };
}

/** A running watch. `await using` ends it with the test. */
export interface Watched extends AsyncDisposable {
  /** The next set: its addresses, sorted, joined with a space. */
  next(): Promise<string>;
  /** Requests a refresh, as SIGHUP does. */
  refresh(): void;
}

export function watched(discovery: Discovery): Watched {
  const controller = new AbortController();
  const listeners = new Set<() => void>();
  const iterator = discovery
    .watch({
      signal: controller.signal,
      onRefresh(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    })
    [Symbol.asyncIterator]();
  return {
    async next() {
      const { value, done } = await iterator.next();
      return done ? "ended" : value.map(formatAddress).sort().join(" ");
    },
    refresh() {
      for (const listener of listeners) listener();
    },
    async [Symbol.asyncDispose]() {
      controller.abort();
      await iterator.return?.();
    },
  };
}
