import { aborted, type Endpoint, formatAddress, GatewayError, type Observer } from "@gw/interface";
import { createDialer, type Dialer } from "@gw/tcpproxy";
import type { Dial } from "../compose/certificates.js";
import { createResolver, type Resolver } from "../compose/resolver.js";
import { createSources, type Sources, watchSources } from "../compose/sources.js";
import type { DiscoveryFlags } from "../flags/discovery.js";

/** The endpoints as discovery finds them. */
export interface Discovered {
  readonly resolver: Resolver;
  readonly dialer: Dialer;
  readonly sources: Sources;
  /** The newest set; certificates are not validated. */
  readonly endpoints: readonly Endpoint[];
  /** Failures, a sentence each. The caller removes those that it has reported. */
  readonly problems: Set<string>;
  /** What works and is insecure or will fail later, a sentence each. */
  readonly warnings: ReadonlySet<string>;
  /** Resolves when each source has a set or has failed. */
  readonly settled: Promise<void>;
  /** Resolves when nothing can change any more: with the fault of the configuration, if there is one. */
  readonly ended: Promise<GatewayError | undefined>;
}

/** Options of {@link discover}. */
export interface DiscoverOptions {
  readonly connectTimeoutMs?: number | undefined;
  /** Ends the discovery. */
  readonly signal: AbortSignal;
  /** Called whenever there is a new set or a new problem. */
  readonly onChange?: () => void;
}

/**
 * Watches the endpoints that the flags name, until the signal is aborted.
 *
 * @throws {GatewayError} of the configuration's codes
 */
export async function discover(
  flags: DiscoveryFlags,
  { connectTimeoutMs, signal, onChange = () => {} }: DiscoverOptions,
): Promise<Discovered> {
  const problems = new Set<string>();
  const warnings = new Set<string>();
  const warn = (_: string, why: string): void => void warnings.add(why);
  const observer: Observer = {
    unsecured: ({ source, why }) => warnings.add(`${source}: ${why}`),
    discoveryFailed({ source, error }) {
      problems.add(`${source}: ${error.detail}`);
      onChange();
    },
    endpointRejected: ({ endpoint, error }) => problems.add(`${formatAddress(endpoint)}: ${error.detail}`),
  };
  const resolver = await createResolver(flags, warn);
  const dialer = createDialer({ connectTimeoutMs, lookup: resolver.lookup });
  const dial: Dial = (endpoint, signal) => dialer.dial(endpoint, { signal });
  const sources = await createSources(flags, { resolver, dial, observer, warn });

  const watch = watchSources(sources.unvalidated, signal);
  let endpoints: readonly Endpoint[] = [];
  const follow = async (): Promise<void> => {
    for (let set = await watch.next(); set; set = await watch.next()) {
      endpoints = set;
      onChange();
    }
  };
  const ended = Promise.all([follow(), Promise.race([watch.settled, aborted(signal)])]).then(
    () => undefined,
    (error: unknown) => GatewayError.from(error, "discovery"),
  );
  // The set comes a moment after the source has settled.
  const settled = Promise.race([watch.settled.catch(() => {}), ended]).then(turn);
  return {
    resolver,
    dialer,
    sources,
    get endpoints() {
      return endpoints;
    },
    problems,
    warnings,
    settled,
    ended,
  };
}

/** One turn of the event loop. */
export function turn(): Promise<undefined> {
  return new Promise(resolve => setImmediate(() => resolve(undefined)));
}
