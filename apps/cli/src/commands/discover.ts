import { type Endpoint, formatAddress, GatewayError, type Observer } from "@gw/interface";
import { createDialer, type Dialer, type DialerOptions } from "@gw/tcpproxy";
import { createSources, type Sources, type SourcesContext } from "../compose/sources.js";
import type { DiscoveryFlags } from "../flags/discovery.js";

/** What a command that only looks knows of the endpoints. */
export interface Discovered {
  readonly sources: Sources;
  readonly dialer: Dialer;
  /** The newest set; nobody's certificate has been checked. */
  readonly endpoints: readonly Endpoint[];
  /** What went wrong, a sentence each; it is for the caller to take them out. */
  readonly problems: Set<string>;
  /** What is used and should not be relied on, a sentence each. */
  readonly warnings: ReadonlySet<string>;
  /** Resolves when each source has told something, or cannot. */
  readonly settled: Promise<void>;
  /** Resolves when nothing can change any more: with the fault of the configuration, if there is one. */
  readonly ended: Promise<GatewayError | undefined>;
}

/**
 * Looks up the endpoints that the flags name, and goes on until `signal` is aborted.
 *
 * @param options.onChange called whenever there is a new set, or a new problem
 * @throws {GatewayError} of the configuration's codes
 */
export async function discover(
  flags: DiscoveryFlags,
  options: DialerOptions &
    Pick<SourcesContext, "healthChecked"> & { readonly signal: AbortSignal; readonly onChange?: () => void },
): Promise<Discovered> {
  const { signal, onChange, healthChecked, ...dialing } = options;
  const problems = new Set<string>();
  const warnings = new Set<string>();
  const observer: Observer = {
    unsecured: ({ source, why }) => warnings.add(`${source}: ${why}`),
    discoveryFailed({ source, error }) {
      problems.add(`${source}: ${error.detail}`);
      onChange?.();
    },
    endpointRejected: ({ endpoint, error }) => problems.add(`${formatAddress(endpoint)}: ${error.detail}`),
  };
  const sources = await createSources(flags, {
    observer,
    warn: (_, why) => warnings.add(why),
    dial: (endpoint, signal) => dialer.dial(endpoint, { signal }),
    ...(healthChecked !== undefined && { healthChecked }),
  });
  const dialer = createDialer({ ...dialing, lookup: sources.lookup });
  let endpoints: readonly Endpoint[] = [];
  const followed = (async () => {
    for await (const set of sources.unchecked.watch({ signal })) {
      endpoints = set;
      onChange?.();
    }
  })();
  const ended = Promise.all([followed, sources.settled]).then(
    () => undefined,
    (error: unknown) => GatewayError.from(error, "discovery"),
  );
  // The union of the sources is told a moment after they have told theirs.
  const settled = Promise.race([sources.settled.catch(() => {}), ended]).then(turn);
  return {
    sources,
    dialer,
    get endpoints() {
      return endpoints;
    },
    problems,
    warnings,
    settled: settled.then(() => {}),
    ended,
  };
}

/** One turn of the event loop. */
export function turn(): Promise<undefined> {
  return new Promise(resolve => setImmediate(() => resolve(undefined)));
}

/** Resolves when `signal` is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
