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

/** What a check will say: undefined is a pass, "never" no answer until it is aborted, a promise a pass later. */
type Saying = GatewayError | Promise<void> | "never" | undefined;

export const untrusted = (why: string): GatewayError => new GatewayError("untrusted", why);
export const down = (why: string): GatewayError => new GatewayError("refused", why);

/** A validated discovery whose source, checks and time are in the hands of a test. */
export interface Vetted extends AsyncDisposable {
  readonly clock: ManualClock;
  /** What the next check of a host says. @default a pass */
  readonly says: Map<string, Saying>;
  /** The hosts that were checked since it was read last, in order. */
  checked(): readonly string[];
  /** The events since they were read last, in one line each. */
  events(): readonly string[];
  /** The hosts of each set that was yielded since they were read last, and "end" or what was thrown. */
  sets(): readonly string[];
  /** Makes the source yield. */
  offer(set: readonly Endpoint[]): Promise<void>;
  refresh(): Promise<void>;
  abort(): Promise<void>;
}

export interface VettedOptions extends ValidatedOptions {
  readonly initial?: readonly Endpoint[];
}

/** Begins to watch. */
export async function vetted({ initial, ...options }: VettedOptions = {}): Promise<Vetted> {
  const clock = manualClock();
  const says = new Map<string, Saying>();
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
    const saying = says.get(host);
    if (saying instanceof GatewayError) throw saying;
    if (saying instanceof Promise) await saying;
    if (saying === "never")
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
  const vetted: Vetted = {
    clock,
    says,
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
      await vetted.abort();
    },
  };
  if (initial) await vetted.offer(initial);
  return vetted;
}
