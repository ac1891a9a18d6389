import { formatAddress } from "@gw/interface";
import { unanswered } from "./connecting.js";
import { etcdParts } from "./etcd-parts.js";
import type { HttpProbeOptions } from "./http-probe.js";
import { doingOf, type KeptProbe, probeSettings, probing } from "./probing.js";
import { remember } from "./remember.js";
import { ill, well } from "./verdict.js";

/**
 * After so many looks, what does not speak etcd is asked again whether it does; then after twice as many each time, up to
 * the second: a question that it does not understand may leave an error in its log.
 */
const [fewestLooks, mostLooks] = [12, 180];

/**
 * The probe of `etcdProbe` for what speaks etcd, and a mere connection (level `tls` or `tcp`) for anything else. Which
 * it is is found out for each endpoint at its first look, and from time to time while it does not speak etcd.
 *
 * What ends or resets every connection before it has sent a byte is not something else: it does not serve, as a port
 * forwarder to a dead server does not. While no endpoint of the same probe has answered anything, they may all be of a
 * kind that says nothing to a question in HTTP: then the verdict has the scope `cluster`.
 *
 * What accepts a connection and is silent counts as something else, until another endpoint of the same probe has
 * spoken etcd: then it is taken for a member that hangs.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function autoProbe(options: HttpProbeOptions = {}): KeptProbe {
  const { look, ends, connect, accepted, heard, close } = etcdParts(options);
  const strangers = remember(probeSettings(options).clock, () => ({
    looksLeft: 0,
    looksPerQuestion: fewestLooks,
  }));
  let etcdSeen = false;
  let anyHeard = false;
  const probe = probing("tcp", async (endpoint, signal) => {
    const endAt = ends();
    const stranger = strangers.of(formatAddress(endpoint));
    if (stranger.looksLeft > 0) {
      stranger.looksLeft -= 1;
      return connect(endpoint, signal, endAt);
    }
    const found = await look(endpoint, signal);
    anyHeard ||= heard(endpoint);
    if ("verdict" in found) {
      stranger.looksPerQuestion = fewestLooks;
      etcdSeen ||= found.verdict.check.startsWith("etcd");
      return found.verdict;
    }
    if (found.stranger.code === "reset" && !heard(endpoint))
      return ill("tcp", unanswered(doingOf(endpoint)), anyHeard ? "endpoint" : "cluster");
    const silent = found.stranger.code === "timed-out";
    if (silent && (etcdSeen || !accepted(endpoint, endAt))) throw found.stranger;
    stranger.looksLeft = stranger.looksPerQuestion;
    stranger.looksPerQuestion = Math.min(mostLooks, stranger.looksPerQuestion * 2);
    return silent ? well("tcp") : connect(endpoint, signal, endAt);
  });
  return Object.assign(probe, { close });
}
