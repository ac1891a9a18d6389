import { createEtcdCalls, type MemberIdentity, type RequestLimits } from "@gw/etcd-client";
import { type Endpoint, GatewayError } from "@gw/interface";
import { probeClient } from "./probes/http.js";
import {
  operationOf,
  type ProbeOptions,
  type ProbeTlsOptions,
  probeSettings,
  probeTls,
} from "./probes/probe.js";

/**
 * What a member of etcd reports of itself; what it does not report is absent. With authentication on, that may be all but its
 * version.
 *
 * Source: etcd 3.4 to 3.6, `Status` of `etcdserverpb/rpc.proto`, and `/version`.
 */
export interface MemberStatus extends MemberIdentity {
  /** Whether it was asked over TLS. */
  readonly secure: boolean;
  /** Alarms that are on anywhere in the cluster, as `NOSPACE`, each once. */
  readonly alarms: readonly string[];
}

/** Asks members for their status. */
export interface StatusQuery {
  /**
   * Asks once; no longer than `timeoutMs`.
   *
   * @throws {GatewayError} `unhealthy` if what answers is no etcd; `untrusted`, `certificate-refused`; `timed-out`,
   *   `aborted`; and what dials fail with
   */
  (endpoint: Endpoint, signal: AbortSignal): Promise<MemberStatus>;
  /** Closes the connections that are kept. */
  close(): void;
}

/**
 * What a member reports of itself, to print and to compare: it needs no quorum, and is no verdict. An endpoint of which
 * `secure` is not known is asked in plain text first.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function etcdStatus(options: ProbeOptions & ProbeTlsOptions = {}): StatusQuery {
  const settings = probeSettings(options);
  const { clock, timeoutMs } = settings;
  const client = probeClient(settings, probeTls(options));
  const calls = createEtcdCalls(client);
  const ask = async (endpoint: Endpoint, signal: AbortSignal): Promise<MemberStatus> => {
    const endAt = clock.now() + timeoutMs;
    const limits = (): RequestLimits => ({ timeoutMs: Math.max(1, endAt - clock.now()), signal });
    const { identity, status } = await calls.status(endpoint, limits());
    const version = identity?.version ?? (await calls.version(endpoint, limits())).version;
    if (!identity && version === undefined)
      throw new GatewayError("unhealthy", `${operationOf(endpoint)}: it does not answer as etcd does`);
    return {
      ...identity,
      secure: client.isSecure(endpoint),
      ...(version !== undefined && { version }),
      alarms: [...new Set(status?.alarms.map(({ alarm }) => alarm))],
    };
  };
  return Object.assign(ask, { close: client.close });
}
