import type { HealthChecks } from "@gw/health";
import {
  type Endpoint,
  type EndpointFacts,
  GatewayError,
  type HealthObserver,
  type Probe,
  type Suspicion,
  systemClock,
  type Verdict,
} from "@gw/interface";
import type { EndpointPool } from "@gw/selector";
import { type HealthFlags, healthChoices } from "../flags/health.js";
import type { Certificates, Dial, TlsFiles } from "./certificates.js";

/** The health checks of a gateway. */
export interface Health {
  /**
   * Checks an endpoint that is down: its certificate if one is demanded, its health `--health-rise` consecutive times by
   * deep checks, and that it keeps a connection if health checks do not show it. Rejects with the first error; resolves with
   * the last verdict.
   */
  readonly retry: (endpoint: Endpoint, signal: AbortSignal) => Promise<Verdict | undefined>;
  /** Checks an endpoint soon, because there is reason to doubt its health. Without effect while no checks run. */
  readonly suspect: (endpoint: Endpoint, why: Suspicion) => void;
  /** Begins to check the endpoints of `pool`. */
  start(pool: EndpointPool): void;
  /** Uses the certificate files that are in use now. */
  reload(): void;
  close(): void;
}

/** What health checks need of the rest of the gateway. */
export interface HealthContext {
  readonly dial: Dial;
  /** See `Dialer.resolve`. */
  readonly resolve: (host: string) => Promise<readonly string[]>;
  /** See `Dialer.connectTimeoutMs`. */
  readonly connectTimeoutMs: number;
  /** Names that a certificate may have instead of the endpoint's host. */
  readonly serverNames: readonly string[];
  readonly certificates: Certificates;
  readonly observer: HealthObserver;
  /** Called with what an endpoint says of itself, each time a check on the schedule has learnt something. */
  readonly onFacts?: ((endpoint: Endpoint, facts: EndpointFacts) => void) | undefined;
  /** Reports that checks cannot be started, or not with new certificate files. */
  readonly onFailure: (error: GatewayError) => void;
}

/** The code of the checks is loaded this long after the start, in milliseconds: clients that wait for gw come first. */
const loadDelayMs = 100;

/**
 * The health checks that the flags ask for. With `--health-check off` only {@link Health.retry} checks anything.
 *
 * The probe is made here if something that the flags give can be wrong; otherwise soon after the start, or with its first
 * use.
 *
 * @throws {GatewayError} `invalid-option`
 */
export async function createHealth(flags: HealthFlags, context: HealthContext): Promise<Health> {
  const health = new GatewayHealth(flags, context);
  const given = [
    flags.healthPath,
    flags.healthPort,
    flags.healthUrl,
    ...Object.values(context.certificates.files),
  ];
  if (flags.healthCheck !== "off" && given.some(one => one !== undefined)) await health.loadProbe();
  return health;
}

class GatewayHealth implements Health {
  readonly #flags: HealthFlags;
  readonly #context: HealthContext;
  /** The probe in use, once it is needed. */
  #probe: Promise<LoadedProbe> | undefined;
  #checks: HealthChecks | undefined;
  #isClosed = false;

  constructor(flags: HealthFlags, context: HealthContext) {
    this.#flags = flags;
    this.#context = context;
  }

  readonly retry: Health["retry"] = async (endpoint, signal) => {
    const { check } = this.#context.certificates;
    const isValidated = check !== undefined && endpoint.secure === true;
    if (isValidated) await check(endpoint, signal);
    const verdict = this.#isOff ? undefined : await this.#rise(endpoint, signal);
    // A health check of the endpoint's own port and a TLS handshake are connections, too.
    if (!this.#asksEndpoint && !isValidated) await this.#connect(endpoint, signal);
    return verdict;
  };

  readonly suspect: Health["suspect"] = (endpoint, why) => this.#checks?.suspect(endpoint, why);

  start(pool: EndpointPool): void {
    systemClock.after(loadDelayMs, () => {
      if (!this.#isClosed) void this.#begin(pool);
    });
  }

  reload(): void {
    const before = this.#probe;
    if (!before) return;
    this.#probe = this.#loadProbe();
    this.#probe.then(
      () => {
        this.#checks?.renew();
        return before.then(({ close }) => close());
      },
      (error: unknown) => {
        this.#probe = before;
        this.#context.onFailure(GatewayError.from(error, "health checks"));
      },
    );
  }

  close(): void {
    this.#isClosed = true;
    this.#checks?.close();
    this.#probe?.then(
      ({ close }) => close(),
      () => {},
    );
  }

  /** The probe in use; it is loaded by the first call. */
  loadProbe(): Promise<LoadedProbe> {
    this.#probe ??= this.#loadProbe();
    return this.#probe;
  }

  #loadProbe(): Promise<LoadedProbe> {
    const { dial, resolve, serverNames, certificates } = this.#context;
    return loadProbe(this.#flags, { dial, resolve, serverNames, tls: certificates.files });
  }

  get #isOff(): boolean {
    return this.#flags.healthCheck === "off";
  }

  /** Whether checks ask the endpoint where it serves its clients. */
  get #asksEndpoint(): boolean {
    return !this.#isOff && (this.#flags.healthPort ?? this.#flags.healthUrl) === undefined;
  }

  async #begin(pool: EndpointPool): Promise<void> {
    try {
      // Loaded also for retries alone: later there may be no file descriptor left.
      const { checkHealth } = await import("@gw/health");
      if (this.#isOff) return;
      await this.loadProbe();
      if (this.#isClosed) return;
      const checks = checkHealth({
        // A reload replaces the probe.
        probe: async (...request) => (await this.loadProbe()).probe(...request),
        pool,
        intervalMs: this.#flags.healthIntervalMs,
        fall: this.#flags.healthFall,
        timeoutMs: this.#flags.healthTimeoutMs,
        onFacts: this.#context.onFacts,
        observer: this.#context.observer,
      });
      pool.onChange(() => checks.update());
      this.#checks = checks;
    } catch (error) {
      if (!this.#isOff) this.#context.onFailure(GatewayError.from(error, "health checks"));
    }
  }

  async #rise(endpoint: Endpoint, signal: AbortSignal): Promise<Verdict> {
    const [{ rising }, { probe }] = await Promise.all([import("@gw/health"), this.loadProbe()]);
    return rising(probe, { rise: this.#flags.healthRise })(endpoint, signal);
  }

  /** Rejects if the endpoint does not accept a connection, or ends it at once. */
  async #connect(endpoint: Endpoint, signal: AbortSignal): Promise<void> {
    const { dial, connectTimeoutMs } = this.#context;
    const { tcpProbe } = await import("@gw/health");
    const { error } = await tcpProbe({ dial, timeoutMs: connectTimeoutMs + keptMs })(endpoint, signal);
    if (error) throw error;
  }
}

/** Longer than `tcpProbe` watches whether the endpoint keeps the connection, in milliseconds. */
const keptMs = 1_000;

/** A probe with connections and certificates. */
export interface LoadedProbe {
  readonly probe: Probe;
  /** Closes the connections that it keeps between two checks. */
  close(): void;
}

/** What probes need. */
export interface ProbeContext {
  readonly tls: TlsFiles;
  /** Names that a certificate may have instead of the endpoint's host. */
  readonly serverNames: readonly string[];
  readonly dial: Dial;
  /** For connections that are kept between two checks, see `ProbeOptions`. */
  readonly resolve?: ((host: string) => Promise<readonly string[]>) | undefined;
}

/**
 * The probe that the flags ask for; they must not say `off`.
 *
 * @throws {GatewayError} `invalid-option`
 */
export async function loadProbe(flags: HealthFlags, context: ProbeContext): Promise<LoadedProbe> {
  const { healthCheck: type = healthChoices[0], healthTimeoutMs: timeoutMs } = flags;
  if (type === "off") throw new GatewayError("invalid-option", "--health-check off has no probe");
  const { autoProbe, etcdProbe, httpProbe, tcpProbe, tlsProbe } = await import("@gw/health");
  const { dial, resolve, serverNames, tls } = context;
  const common = { timeoutMs, dial, resolve };
  const request = {
    ...common,
    ...tls,
    serverNames,
    path: flags.healthPath,
    port: flags.healthPort,
    url: flags.healthUrl,
  };
  const create = {
    auto: () => autoProbe(request),
    etcd: () => etcdProbe(request),
    http: () => httpProbe(request),
    tls: () => withoutClose(tlsProbe({ ...common, ...tls, serverNames })),
    tcp: () => withoutClose(tcpProbe(common)),
  }[type];
  try {
    const probe = create();
    return { probe, close: () => probe.close() };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError(error.code, `--health-${error.detail}`, { cause: error });
  }
}

/** A probe that keeps no connections. */
function withoutClose(probe: Probe): Probe & { close(): void } {
  return Object.assign(probe, { close() {} });
}
