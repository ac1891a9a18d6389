import { refreshDefaults, srv } from "@gw/discovery";
import { checkHealth, type HealthChecks, rising } from "@gw/health";
import { backoffMs, formatAddress, type Probe, withJitter } from "@gw/interface";
import { createPool, type EndpointPool, stickyRandom } from "@gw/selector";
import { Client, type ClientKind } from "./model/client.js";
import { ModelProbe } from "./model/probe.js";
import type { Random } from "./random.js";
import type { World } from "./world.js";

/** How gateways are set up. Times are in milliseconds; what is absent has the default of gw. */
export interface GatewaySettings {
  /** One for each client of a gateway. */
  readonly clients: readonly ClientKind[];
  /** `--selector=sticky-random:failback=…`. */
  readonly failbackMs?: number | undefined;
  /** `--health-interval`. */
  readonly intervalMs?: number | undefined;
  /** Whether every check is a linearizable read. @default false */
  readonly deepOnly?: boolean | undefined;
}

/** Where a gateway gets chance from. */
export interface Chances {
  /** Jitter of schedules. */
  readonly jitter: Random;
  /** The policy, and what clients do. */
  readonly choice: Random;
}

/** Health checks begin so long after the start, in milliseconds; see `loadDelayMs` of the gateway. */
const checksDelayMs = 100;
/** Look-ups while all endpoints are down; see `repeat` of the gateway. */
const urgent = {
  spreadMs: 1_000,
  backoff: { baseMs: refreshDefaults.minRefreshMs, maxMs: 30_000, jitter: 0.5 },
  jitter: 0.2,
} as const;
/** How long the first question to an endpoint, who it is, may take, in milliseconds. */
const identityTimeoutMs = 1_000;

/**
 * One gateway: discovery, pool, policy and health checks are those of gw, composed as `startGateway` does; the proxy and
 * its clients are models.
 */
export class Gateway {
  readonly #world: World;
  readonly #settings: GatewaySettings;
  readonly #chances: Chances;
  readonly #pool: EndpointPool;
  readonly #probe: Probe;
  readonly clients: readonly Client[];
  readonly #known = new Set<string>();
  /** Until when the addresses of a host are remembered. */
  readonly #addresses = new Map<string, number>();
  #checks: HealthChecks | undefined;

  constructor(world: World, settings: GatewaySettings, chances: Chances) {
    const { clock } = world;
    const lookUp = (host: string): void => this.#lookUp(host);
    const { probe } = new ModelProbe(world, chances.jitter, lookUp);
    this.#world = world;
    this.#settings = settings;
    this.#chances = chances;
    this.#probe = settings.deepOnly ? (endpoint, signal) => probe(endpoint, signal) : probe;
    this.#pool = createPool({
      selector: stickyRandom({ random: chances.choice, failbackMs: settings.failbackMs }),
      random: chances.jitter,
      waitForEndpoints: true,
      probe: rising(this.#probe, { clock }),
      onSuspicion: (endpoint, why) => this.#checks?.suspect(endpoint, why),
      clock,
    });
    this.clients = settings.clients.map(
      kind => new Client({ world, pool: this.#pool, random: chances.choice, kind, lookUp }),
    );
  }

  start(): void {
    const { clock } = this.#world;
    void this.#follow();
    clock.after(checksDelayMs, () => this.#check());
    for (const client of this.clients) client.connect();
  }

  /** Endpoints flow from DNS to the pool, once each new one was asked who it is. */
  async #follow(): Promise<void> {
    const { clock, dns } = this.#world;
    const signal = new AbortController().signal;
    const discovery = srv({
      domain: "etcd.test.",
      insecure: true,
      dns: dns.client(),
      random: this.#chances.jitter,
      clock,
    });
    let refresh = (): void => {};
    const onRefresh = (listener: () => void): (() => void) => {
      refresh = listener;
      return () => {};
    };
    this.#refreshWhileAllAreDown(() => refresh());
    for await (const endpoints of discovery.watch({ signal, onRefresh })) {
      const added = endpoints.filter(endpoint => !this.#known.has(formatAddress(endpoint)));
      await Promise.all(
        added.map(endpoint => {
          this.#known.add(formatAddress(endpoint));
          return this.#probe(endpoint, signal, { depth: "regular", timeoutMs: identityTimeoutMs });
        }),
      );
      this.#pool.update(endpoints);
    }
  }

  /** While all endpoints are down, they may have moved to other addresses. */
  #refreshWhileAllAreDown(refresh: () => void): void {
    const { clock } = this.#world;
    const random = this.#chances.jitter;
    let cancel: (() => void) | undefined;
    const run = (runs: number): void => {
      const delayMs = withJitter(backoffMs(runs, { ...urgent.backoff, random }), urgent.jitter, random);
      cancel = clock.after(delayMs, () => run(runs + 1));
      this.#addresses.clear();
      refresh();
    };
    this.#pool.onChange(({ allDown }) => {
      if (allDown) cancel ??= clock.after(random() * urgent.spreadMs, () => run(1));
      else {
        cancel?.();
        cancel = undefined;
      }
    });
  }

  #check(): void {
    const { intervalMs } = this.#settings;
    const { clock } = this.#world;
    const checks = checkHealth({
      probe: this.#probe,
      pool: this.#pool,
      intervalMs,
      random: this.#chances.jitter,
      clock,
    });
    this.#pool.onChange(() => checks.update());
    this.#checks = checks;
  }

  /** Asks for the addresses of a host unless they are remembered. */
  #lookUp(host: string): void {
    const { clock, dns } = this.#world;
    const now = clock.now();
    if (now < (this.#addresses.get(host) ?? 0)) return;
    this.#addresses.set(host, now + dns.lookUpAddresses());
  }
}
