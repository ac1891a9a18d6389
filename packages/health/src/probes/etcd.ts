import type { Socket } from "node:net";
import { checkConnection, createEtcdCalls, type Dial } from "@gw/etcd-client";
import {
  createExpiringMap,
  type Endpoint,
  formatAddress,
  type ProbeRequest,
  type Verdict,
} from "@gw/interface";
import { createEtcdCheck, type EtcdCheckResult } from "./etcd-check.js";
import { type HttpProbeOptions, probeClient } from "./http.js";
import {
  failed,
  guarded,
  healthy,
  type KeptProbe,
  operationOf,
  probeSettings,
  probeTls,
  timeoutOf,
} from "./probe.js";
import { type ProbeTarget, probeAt, probeTarget } from "./target.js";

/**
 * A probe for etcd; the verdict names the check that was made. Regular:
 *
 * - `etcd status`: the member's own status, which needs no quorum: whether it knows a leader or is a learner, which alarms
 *   are on, and the facts of the verdict
 * - `etcd /readyz without linearizable_read`, `etcd /health?serializable=true` or `etcd /version`, with a note, where the
 *   status is not served: the deepest question that the member answers alone. Once a minute it is a deep check instead,
 *   since nothing else shows whether there is a leader
 *
 * Deep, as deep as a member allows:
 *
 * - `etcd /readyz` (3.4.29, 3.5.11, 3.6 and later): its own data can be read, the whole cluster agrees on a read, no
 *   data are corrupt, and it is no learner (3.5.19, 3.6)
 * - `etcd /health` (older): it knows a leader, and the cluster agrees on a read
 *
 * Its status is asked for besides if it is older than a minute, and when the member is unhealthy, but not with `port` or
 * `url`, which lead to where etcd does not serve it.
 *
 * At both depths, and with a note: `tls` if it refuses this side's client certificate, or answers none of these questions;
 * `tcp` for the same without TLS.
 *
 * The alarm NOSPACE is a note, since reads go on; a fault of the cluster as a whole (no leader, no agreement, CORRUPT
 * elsewhere) has the scope `cluster`. One connection to each endpoint is kept, see `keepAlive` of `@gw/etcd-client`. The
 * questions that an endpoint answers are found out again with each new one.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function etcdProbe(options: HttpProbeOptions = {}): KeptProbe {
  const { targetOf, check, endAt, connect, close } = etcdParts(options);
  const probe = guarded("etcd", async (endpoint, signal, request) => {
    const end = endAt(request);
    const result = await check(endpoint, signal, request);
    if ("verdict" in result) return result.verdict;
    if (!result.isHttp) return failed("etcd", result.notEtcd);
    return { ...(await connect(endpoint, signal, end)), note: result.notEtcd.detail };
  });
  return Object.assign(probeAt(targetOf, probe), { close });
}

/** What the probes for etcd consist of. */
export interface EtcdParts {
  readonly targetOf: (endpoint: Endpoint) => ProbeTarget;
  readonly check: (
    endpoint: Endpoint,
    signal: AbortSignal,
    request: ProbeRequest | undefined,
  ) => Promise<EtcdCheckResult>;
  /** When a check that begins now has to end, on the clock of the options. */
  readonly endAt: (request: ProbeRequest | undefined) => number;
  /** Connects, over TLS if the endpoint is known to speak it. */
  readonly connect: (endpoint: Endpoint, signal: AbortSignal, endAt: number) => Promise<Verdict>;
  /** Whether a byte came in on a connection of the newest check. */
  readonly hasAnswered: (endpoint: Endpoint) => boolean;
  /** Whether the newest check got a connection, and one without TLS. */
  readonly hasAccepted: (endpoint: Endpoint) => boolean;
  readonly close: () => void;
}

/** The connections to one endpoint. */
interface Connections {
  /** Whether the newest check got one. */
  isAccepted: boolean;
  /** Those of the newest check: a few, since a request that fails is repeated once at most. */
  sockets: Socket[];
}

/** @throws {GatewayError} `invalid-option` */
export function etcdParts(options: HttpProbeOptions): EtcdParts {
  const settings = probeSettings(options);
  const { clock } = settings;
  const targetOf = probeTarget(options);
  const tls = probeTls(options);
  const byAddress = createExpiringMap<Connections>(clock, () => ({ isAccepted: false, sockets: [] }));
  const connectionsTo = (endpoint: Endpoint): Connections =>
    byAddress.get(formatAddress(targetOf(endpoint).endpoint));
  const dial: Dial = async (endpoint, signal) => {
    const socket = await settings.dial(endpoint, signal);
    const connections = byAddress.get(formatAddress(endpoint));
    connections.isAccepted = true;
    connections.sockets.push(socket);
    return socket;
  };
  const client = probeClient({ ...settings, dial }, tls);
  const check = createEtcdCheck({ calls: createEtcdCalls(client), targetOf, clock });
  return {
    targetOf,
    check(endpoint, signal, request) {
      Object.assign(connectionsTo(endpoint), { isAccepted: false, sockets: [] });
      const depth = request?.depth ?? "deep";
      return check(endpoint, signal, { depth, timeoutMs: timeoutOf(settings, request) });
    },
    endAt: request => clock.now() + timeoutOf(settings, request),
    async connect(endpoint, signal, endAt) {
      const isSecure = client.isSecure(endpoint);
      await checkConnection(endpoint, {
        ...settings,
        tls: isSecure ? tls : undefined,
        timeoutMs: Math.max(1, endAt - clock.now()),
        signal,
        operation: operationOf(endpoint),
      });
      return healthy(isSecure ? "tls" : "tcp");
    },
    hasAnswered: endpoint => connectionsTo(endpoint).sockets.some(({ bytesRead }) => bytesRead > 0),
    hasAccepted: endpoint =>
      !client.isSecure(targetOf(endpoint).endpoint) && connectionsTo(endpoint).isAccepted,
    close: client.close,
  };
}
