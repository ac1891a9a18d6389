import { type Discovery, type Endpoint, GatewayError, type Observer } from "@gw/interface";
import { type ManualClock, manualClock, queue } from "@gw/testing";
import { type ValidatedOptions, validated } from "../src/index.js";

/** Endpoints that have TLS, named by their hosts. */
export function secure(...hosts: readonly string[]): readonly Endpoint[] {
  const endpoints = hosts.map(host =>
    Object.freeze({ host, port: 2379, priority: 0, weight: 0, secure: true }),
  );
  return Object.freeze(endpoints);
}

/** The result of a check: undefined is a pass, "never" none until it is aborted, a promise a pass later. */
type CheckResult = GatewayError | Promise<void> | "never" | undefined;

export const untrusted = (why: string): GatewayError => new GatewayError("untrusted", why);
export const down = (why: string): GatewayError => new GatewayError("refused", why);

/** A validated source; the test controls its source, checks and time. */
export interface WatchedValidation extends AsyncDisposable {
  readonly clock: ManualClock;
  /** The result of the next checks of a host. @default a pass */
  readonly results: Map<string, CheckResult>;
  /** The hosts that were checked since the last call, in order. */
  checked(): readonly string[];
  /** The events since the last call, one line each. */
  events(): readonly string[];
  /** The hosts of each set that was yielded since the last call, and "end" or what was thrown. */
  sets(): readonly string[];
  /** Makes the source yield. */
  offer(set: readonly Endpoint[]): Promise<void>;
  refresh(): Promise<void>;
  abort(): Promise<void>;
}

export interface WatchedValidationOptions extends ValidatedOptions {
  readonly initial?: readonly Endpoint[];
}

/** Starts to watch. */
export async function watchValidated({
  initial,
  ...options
}: WatchedValidationOptions = {}): Promise<WatchedValidation> {
  const clock = manualClock();
  const results = new Map<string, CheckResult>();
  const [sets, checked, events]: string[][] = [[], [], []];
  const offers = queue<readonly Endpoint[]>();
  const listeners = new Set<() => void>();
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = new Promise<undefined>(resolve =>
    signal.addEventListener("abort", () => resolve(undefined)),
  );
  const source: Discovery = {
    async *watch() {
      for (let set = await Promise.race([offers.take(), aborted]); set; ) {
        yield set;
        set = await Promise.race([offers.take(), aborted]);
      }
    },
  };
  const observer: Observer = {
    endpointRejected: ({ source, endpoint, error }) =>
      events?.push(`${source}: ${endpoint.host} ${error.message}`),
    discoveryFailed: ({ source, error, ageMs }) => events?.push(`${source}: ${error.message}, ${ageMs}`),
    discoveryRecovered: ({ source, failedMs }) => events?.push(`${source}: recovered after ${failedMs}`),
  };
  const check = async ({ host }: Endpoint, signal: AbortSignal): Promise<void> => {
    checked?.push(host);
    const result = results.get(host);
    if (result instanceof GatewayError) throw result;
    if (result instanceof Promise) await result;
    if (result === "never")
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  };
  const discovery = validated(source, check, { observer, clock, random: () => 0, ...options });
  const onRefresh = (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const watching = (async () => {
    for await (const set of discovery.watch({ signal, onRefresh }))
      sets?.push(set.map(({ host }) => host).join());
  })().then(
    () => sets?.push("end"),
    error => sets?.push(`threw ${error.message}`),
  );
  const taken = (lines: string[] | undefined) => () => lines?.splice(0) ?? [];
  const watch: WatchedValidation = {
    clock,
    results,
    checked: taken(checked),
    events: taken(events),
    sets: taken(sets),
    async offer(set) {
      offers.put(set);
      await clock.advance(0);
    },
    async refresh() {
      for (const listener of listeners) listener();
      await clock.advance(0);
    },
    async abort() {
      controller.abort();
      await watching;
    },
    async [Symbol.asyncDispose]() {
      await watch.abort();
    },
  };
  if (initial) await watch.offer(initial);
  return watch;
}
