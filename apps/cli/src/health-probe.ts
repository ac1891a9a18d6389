import type { Socket } from "node:net";
import { type Endpoint, GatewayError, type Probe } from "@gw/interface";
import { type HealthFlags, healthChoices } from "./flags/health.js";
import type { TlsFiles } from "./tls-files.js";

/** How to look at endpoints, put together as the flags say. */
export interface HealthProbe {
  readonly probe: Probe;
  /** Closes the connections that are kept between two looks. */
  close(): void;
}

/** What looks are made with. */
export interface ProbeContext {
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
  const { autoProbe, etcdProbe, httpProbe, tcpProbe, tlsHealthProbe } = await import("@gw/health");
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
    tls: () => kept(tlsHealthProbe({ ...common, ...tls, serverNames })),
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
