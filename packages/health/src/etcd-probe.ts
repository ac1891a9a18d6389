import { etcdParts } from "./etcd-parts.js";
import type { HttpProbeOptions } from "./http-probe.js";
import { type KeptProbe, probing } from "./probing.js";
import { failed } from "./verdict.js";

/**
 * A probe for etcd, as deep as a member allows; the verdict's level says how deep that is:
 *
 * - `etcd /readyz` (3.4.29, 3.5.11, 3.6 and later): its own data can be read, the whole cluster agrees on a read, no
 *   data are corrupt, and it is no learner (3.5.19, 3.6)
 * - `etcd /health` (older): it knows a leader, and the cluster agrees on a read
 * - `tls`, with a note: it refuses this side's client certificate, or knows neither of these questions
 * - `tcp`, with a note: the same without TLS
 *
 * Besides, a member's status is asked for at first, from time to time, and when it is not well: whether it is a
 * learner, which alarms are on, whether it knows a leader. Not so with `port` or `url`, which lead to where etcd does
 * not tell it. The alarm NOSPACE is a note, since reads go on; what the cluster has as a whole (no leader, no
 * agreement, CORRUPT elsewhere) has the scope `cluster`.
 *
 * One connection to each endpoint is kept, for a minute at most. What an endpoint can be asked is found out anew with
 * each.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function etcdProbe(options: HttpProbeOptions = {}): KeptProbe {
  const { look, ends, connect, close } = etcdParts(options);
  const probe = probing("etcd", async (endpoint, signal) => {
    const endAt = ends();
    const found = await look(endpoint, signal);
    if ("verdict" in found) return found.verdict;
    if (!found.http) return failed("etcd", found.stranger);
    return { ...(await connect(endpoint, signal, endAt)), note: found.stranger.detail };
  });
  return Object.assign(probe, { close });
}
