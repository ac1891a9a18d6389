import { unanswered } from "@gw/etcd-client";
import { formatAddress } from "@gw/interface";
import { etcdParts } from "./etcd.js";
import type { HttpProbeOptions } from "./http.js";
import { guarded, healthy, type KeptProbe, operationOf, probeSettings, unhealthy } from "./probe.js";
import { createRetryTimes } from "./retry-times.js";
import { probeAt } from "./target.js";

/**
 * The probe of `etcdProbe` for endpoints that speak etcd, and a mere connection (check `tls` or `tcp`) for all others.
 * Which it is is found out for each endpoint at its first check, and once in one to sixteen minutes while it does not speak etcd.
 *
 * An endpoint that ends or resets every connection before it has sent a byte is neither: it does not serve, like a port
 * forwarder to a dead server. While no endpoint of the same probe has answered anything, they may all be of a kind that
 * does not answer HTTP: then the verdict has the scope `cluster`.
 *
 * An endpoint that accepts a connection and is silent counts as not etcd, until another endpoint of the same probe has
 * spoken etcd: then it is taken for a member that hangs.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function autoProbe(options: HttpProbeOptions = {}): KeptProbe {
  const { targetOf, check, endAt, connect, hasAccepted, hasAnswered, close } = etcdParts(options);
  /** When to ask again what does not speak etcd. */
  const retries = createRetryTimes(probeSettings(options).clock);
  let isEtcdSeen = false;
  let isAnySeen = false;
  const probe = guarded("tcp", async (endpoint, signal, request) => {
    const end = endAt(request);
    const name = formatAddress(endpoint);
    if (!retries.isDue(name)) return connect(endpoint, signal, end);
    const result = await check(endpoint, signal, request);
    isAnySeen ||= hasAnswered(endpoint);
    if ("verdict" in result) {
      retries.answered(name);
      isEtcdSeen ||= result.verdict.check.startsWith("etcd");
      return result.verdict;
    }
    const { notEtcd } = result;
    if (notEtcd.code === "reset" && !hasAnswered(endpoint))
      return unhealthy("tcp", unanswered(operationOf(endpoint)), isAnySeen ? "endpoint" : "cluster");
    const isSilent = notEtcd.code === "timed-out";
    if (isSilent && (isEtcdSeen || !hasAccepted(endpoint))) throw notEtcd;
    retries.refused(name);
    return isSilent ? healthy("tcp") : connect(endpoint, signal, end);
  });
  return Object.assign(probeAt(targetOf, probe), { close });
}
