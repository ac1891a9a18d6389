import { type Endpoint, GatewayError } from "@gw/interface";
import { statusIn } from "./etcd-answers.js";
import { memberIn, versionIn } from "./etcd-member.js";
import { createHttpClient } from "./http-client.js";
import type { Question } from "./http-exchange.js";
import { doingOf, type ProbeOptions, probeSettings } from "./probing.js";
import { askEitherWay } from "./scheme.js";
import { type TlsOptions, tlsSide } from "./tls-side.js";

/**
 * What a member of etcd says of itself; what it does not say is absent. Where authentication is on it may say no more than
 * its version.
 *
 * Source: etcd 3.4 to 3.6, `Status` of `etcdserverpb/rpc.proto`, and `/version`.
 */
export interface MemberStatus {
  /** Whether it was asked over TLS. */
  readonly secure: boolean;
  /** Of the server, as `3.5.21`. */
  readonly version?: string;
  /** In hexadecimal, as etcdctl prints it. */
  readonly clusterId?: string;
  readonly memberId?: string;
  /** Whom it takes for the leader; absent where it knows none. */
  readonly leaderId?: string;
  readonly learner?: boolean;
  /** Alarms that are on anywhere in the cluster, as `NOSPACE`, each once. */
  readonly alarms: readonly string[];
  readonly dbSizeBytes?: number;
}

/** Asks members for their status. */
export interface StatusQuestion {
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
 * What a member says of itself, for people and for comparisons: it needs no quorum, and is no verdict. An endpoint that
 * did not say whether it speaks TLS is asked in plain text first.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function etcdStatus(options: ProbeOptions & TlsOptions = {}): StatusQuestion {
  const { clock, dial, timeoutMs } = probeSettings(options);
  const client = createHttpClient({ clock, dial, tls: tlsSide(options) });
  const asker = askEitherWay(client, clock);
  const ask = async (endpoint: Endpoint, signal: AbortSignal): Promise<MemberStatus> => {
    const endAt = clock.now() + timeoutMs;
    const put = (question: Question) =>
      asker.ask(endpoint, question, { timeoutMs: Math.max(1, endAt - clock.now()), signal });
    const answer = await put({ path: "/v3/maintenance/status", body: "{}" });
    const member = memberIn(answer);
    const version = member?.version ?? versionIn(await put({ path: "/version" }));
    if (!member && version === undefined)
      throw new GatewayError("unhealthy", `${doingOf(endpoint)}: it does not answer as etcd does`);
    const alarms = statusIn(answer)?.alarms.map(({ alarm }) => alarm) ?? [];
    return {
      ...member,
      secure: asker.secure(endpoint),
      ...(version !== undefined && { version }),
      alarms: [...new Set(alarms)],
    };
  };
  return Object.assign(ask, { close: client.close });
}
