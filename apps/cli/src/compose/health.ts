import type { Socket } from "node:net";
import type { HealthChecks, HealthObserver } from "@gw/health";
import {
  type CheckedPool,
  type Endpoint,
  GatewayError,
  type Observer,
  type Probe,
  type Verdict,
} from "@gw/interface";
import { type HealthFlags, healthChoices, refuseHealthContradictions } from "../flags/health.js";
import type { TlsFiles } from "./certificates.js";

/** The health checks of a gateway, put together as the flags say. */
export interface Health {
  /** Resolves with the last verdict when an endpoint that is down is healthy, as often in a row as it must; else rejects. */
  rise(endpoint: Endpoint, signal: AbortSignal): Promise<Verdict>;
  /** Whether endpoints are asked where they serve their clients. */
  readonly asksWhereClientsGo: boolean;
  /** Begins to look at the endpoints of `pool`. */
  start(pool: CheckedPool): void;
  /** There is reason to doubt an endpoint. */
  suspect(endpoint: Endpoint): void;
  /** Sees what happens to the pool, so that the checks know of it at once. */
  watching(observer: Observer): Observer;
  /** Goes on with what the certificate files hold now. */
  reload(): void;
  close(): void;
}

/** What health checks need of the rest of the gateway. */
export interface HealthContext extends Omit<ProbeContext, "tls"> {
  readonly tls: () => ProbeContext["tls"];
  readonly observer: HealthObserver;
  /** What should be used and cannot be is told here. */
  readonly onFailure: (error: GatewayError) => void;
}

/**
 * Health checks; undefined with `--health-check off`. What looks is loaded when it is needed first: here, if the flags
 * have something in them that can be wrong, and otherwise when the gateway serves already.
 *
 * @throws {GatewayError} `invalid-option`
 */
export async function createHealth(flags: HealthFlags, context: HealthContext): Promise<Health | undefined> {
  refuseHealthContradictions(flags);
  if (flags.healthCheck === "off") return undefined;
  const health = new LazyHealth(flags, context);
  const given = [flags.healthPath, flags.healthPort, flags.healthUrl, ...Object.values(context.tls())];
  if (given.some(one => one !== undefined)) await health.load();
  return health;
}

/** How long the gateway serves before it loads what looks at endpoints, in milliseconds. */
const patienceMs = 100;

/** All that is loaded. */
interface Loaded {
  readonly health: typeof import("@gw/health");
  readonly look: HealthProbe;
}

class LazyHealth implements Health {
  readonly #flags: HealthFlags;
  readonly #context: HealthContext;
  #loading: Promise<Loaded> | undefined;
  #checks: HealthChecks | undefined;
  #closed = false;

  constructor(flags: HealthFlags, context: HealthContext) {
    this.#flags = flags;
    this.#context = context;
  }

  load(): Promise<Loaded> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  get asksWhereClientsGo(): boolean {
    return (this.#flags.healthPort ?? this.#flags.healthUrl) === undefined;
  }

  async rise(endpoint: Endpoint, signal: AbortSignal): Promise<Verdict> {
    const { health, look } = await this.load();
    return health.rising(look.probe, { rise: this.#flags.healthRise })(endpoint, signal);
  }

  start(pool: CheckedPool): void {
    // The first clients come first.
    setTimeout(() => this.#begin(pool), patienceMs).unref();
  }

  #begin(pool: CheckedPool): void {
    if (this.#closed) return;
    this.load().then(
      ({ health }) => {
        if (this.#closed) return;
        this.#checks = health.checkHealth({
          // After a reload it is another one.
          probe: (endpoint, signal) => this.load().then(({ look }) => look.probe(endpoint, signal)),
          pool,
          intervalMs: this.#flags.healthIntervalMs,
          fall: this.#flags.healthFall,
          observer: this.#context.observer,
        });
      },
      (error: unknown) => this.#context.onFailure(GatewayError.from(error, "health checks")),
    );
  }

  suspect(endpoint: Endpoint): void {
    this.#checks?.suspect(endpoint);
  }

  watching(observer: Observer): Observer {
    const telling =
      <Event>(tell: ((event: Event) => void) | undefined) =>
      (event: Event): void => {
        tell?.call(observer, event);
        this.#checks?.update();
      };
    return {
      ...observer,
      poolChanged: telling(observer.poolChanged),
      endpointDown: telling(observer.endpointDown),
      endpointUp: telling(observer.endpointUp),
      failover: telling(observer.failover),
    };
  }

  reload(): void {
    const before = this.#loading;
    if (!before) return;
    this.#loading = this.#load();
    this.#loading.then(
      () => {
        this.#checks?.renew();
        return before.then(({ look }) => look.close());
      },
      (error: unknown) => {
        this.#loading = before;
        this.#context.onFailure(GatewayError.from(error, "health checks"));
      },
    );
  }

  close(): void {
    this.#closed = true;
    this.#checks?.close();
    this.#loading?.then(
      ({ look }) => look.close(),
      () => {},
    );
  }

  async #load(): Promise<Loaded> {
    const { dial, serverNames, tls } = this.#context;
    const [health, look] = await Promise.all([
      import("@gw/health"),
      loadProbe(this.#flags, { dial, serverNames, tls: tls() }),
    ]);
    if (!look) throw new GatewayError("invalid-option", "health checks are off");
    return { health, look };
  }
}

/** How to look at endpoints, put together as the flags say. */
interface HealthProbe {
  readonly probe: Probe;
  /** Closes the connections that are kept between two looks. */
  close(): void;
}

/** What looks are made with. */
interface ProbeContext {
  readonly tls: TlsFiles;
  /** Names that a certificate may carry in place of the endpoint's host. */
  readonly serverNames: readonly string[];
  /** Connects to an endpoint. */
  readonly dial: (endpoint: Endpoint, signal: AbortSignal) => Promise<Socket>;
}

/**
 * The probe that the flags ask for; undefined with `--health-check off`.
 *
 * @throws {GatewayError} `invalid-option`
 */
export async function loadProbe(flags: HealthFlags, context: ProbeContext): Promise<HealthProbe | undefined> {
  const { healthCheck: how = healthChoices[0], healthTimeoutMs: timeoutMs } = flags;
  if (how === "off") return undefined;
  const { autoProbe, etcdProbe, httpProbe, tcpProbe, tlsProbe } = await import("@gw/health");
  const { dial, serverNames, tls } = context;
  const common = { timeoutMs, dial };
  const asked = {
    ...common,
    ...tls,
    serverNames,
    path: flags.healthPath,
    port: flags.healthPort,
    url: flags.healthUrl,
  };
  const make = {
    auto: () => autoProbe(asked),
    etcd: () => etcdProbe(asked),
    http: () => httpProbe(asked),
    tls: () => kept(tlsProbe({ ...common, ...tls, serverNames })),
    tcp: () => kept(tcpProbe(common)),
  }[how];
  try {
    const probe = make();
    return { probe, close: () => probe.close() };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError(error.code, `--health-${error.detail}`, { cause: error });
  }
}

/** A probe that keeps nothing. */
function kept(probe: Probe): Probe & { close(): void } {
  return Object.assign(probe, { close() {} });
}
