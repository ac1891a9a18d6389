import type { CheckView, FailoverView, PanicView, SourceView } from "@gw/admin";
import {
  type Endpoint,
  formatAddress,
  type HealthObserver,
  type Observer,
  sameEndpoint,
} from "@gw/interface";

/** Different sources that are kept; a gateway has a handful. */
const maxSources = 64;
/** Endpoints whose newest check is kept, those that left included: an operator may hold them. */
const maxChecks = 20_000;

/** What is known of a source of endpoints. */
type Source = { -readonly [field in keyof SourceView]: SourceView[field] };

/** A member of another cluster than the one in use. */
interface Foreign {
  readonly endpoint: Endpoint;
  /** The other cluster's. */
  readonly clusterId: string;
  /** Milliseconds since 1970 (UTC). */
  readonly since: number;
}

/** Keeps the newest of what a status shows and only events tell. */
export class StatusTracker {
  readonly #checks = new Map<string, CheckView>();
  readonly #sources = new Map<string, Source>();
  #inUse: Endpoint | undefined;
  /** Since when the newest connections go to {@link inUse}; undefined before the first one. */
  inUseSince: string | undefined;
  panic: PanicView | undefined;
  lastFailover: FailoverView | undefined;
  clusterId: string | undefined;
  /** Members of other clusters, and since when that is known. */
  foreign: readonly Foreign[] = [];

  /** Feeds it. */
  readonly observer: Observer & HealthObserver = {
    ignoresClients: true,
    discovered: ({ source, added, removed }) => {
      const one = this.#source(source);
      // The validation of certificates has sets, and reads nothing.
      if (one.lastRead === undefined) one.endpoints += added.length - removed.length;
      one.lastChange = now();
    },
    discoveryRead: ({ source, endpoints }) => {
      const one = this.#source(source);
      one.endpoints = endpoints;
      one.lastRead = now();
      one.failedSince = undefined;
      one.reason = undefined;
    },
    discoveryFailed: ({ source, error }) => {
      const one = this.#source(source);
      one.failures += 1;
      one.failedSince ??= now();
      one.reason = error.detail;
    },
    discoveryRecovered: ({ source }) => {
      const one = this.#source(source);
      one.failedSince = undefined;
      one.reason = undefined;
    },
    checked: ({ endpoint, verdict: { check, error, note }, tookMs }) => {
      const name = formatAddress(endpoint);
      // The oldest is first.
      this.#checks.delete(name);
      if (this.#checks.size >= maxChecks) this.#checks.delete(this.#checks.keys().next().value ?? "");
      this.#checks.set(name, {
        type: check,
        at: now(),
        tookMs: Math.round(tookMs * 10) / 10,
        healthy: error === undefined,
        ...(error && { reason: error.detail }),
        ...(note !== undefined && { note }),
      });
    },
    connected: ({ endpoint }) => {
      if (endpoint === this.#inUse) return;
      // A new set has new objects for the same endpoints.
      const isSame = this.#inUse && sameEndpoint(this.#inUse, endpoint);
      this.#inUse = endpoint;
      if (!isSame) this.inUseSince = now();
    },
    failover: ({ from, to, why }) => {
      this.lastFailover = { at: now(), from: formatAddress(from), to: formatAddress(to), reason: why };
    },
    panic: ({ cause, error }) => {
      this.panic = { cause, since: this.panic?.since ?? now(), reason: error.detail };
    },
    panicOver: () => {
      this.panic = undefined;
    },
    clusterIdentified: event => this.#identified(event),
    wrongCluster: event => this.#identified(event),
    wrongClusterOver: () => {
      this.foreign = [];
    },
  };

  /** Endpoints that were given, and never change. */
  addStatic(endpoints: number): void {
    if (endpoints === 0) return;
    Object.assign(this.#source("static"), { endpoints, lastChange: now(), lastRead: now() });
  }

  get sources(): readonly SourceView[] {
    return [...this.#sources.values()].map(source => ({ ...source }));
  }

  /** The newest health check of the endpoint of this name. */
  check(name: string): CheckView | undefined {
    return this.#checks.get(name);
  }

  #identified({
    clusterId,
    foreign,
  }: {
    readonly clusterId: string;
    readonly foreign: readonly Omit<Foreign, "since">[];
  }): void {
    this.clusterId = clusterId;
    const before = new Map(
      this.foreign.map(one => [`${formatAddress(one.endpoint)} ${one.clusterId}`, one.since]),
    );
    this.foreign = foreign.map(({ endpoint, clusterId }) => {
      const since = before.get(`${formatAddress(endpoint)} ${clusterId}`) ?? Date.now();
      return { endpoint, clusterId, since };
    });
  }

  #source(name: string): Source {
    const known = this.#sources.get(name);
    if (known) return known;
    const source: Source = { source: name, endpoints: 0, failures: 0 };
    if (this.#sources.size < maxSources) this.#sources.set(name, source);
    return source;
  }
}

function now(): string {
  return new Date().toISOString();
}
