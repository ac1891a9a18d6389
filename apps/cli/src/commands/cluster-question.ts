import { createLimiter, type Endpoint, formatAddress, GatewayError, systemClock } from "@gw/interface";
import type { Discovered } from "./discover.js";

/** What an endpoint says of its cluster: one of both. */
interface ClusterAnswer {
  /** In hexadecimal, as etcdctl prints it. */
  readonly clusterId?: string;
  /** Why the id is unknown. */
  readonly clusterError?: string;
}

/** Asks an endpoint once for its cluster. Never rejects. */
export type AskCluster = (endpoint: Endpoint) => Promise<ClusterAnswer>;

/** How long one endpoint may take to answer, in milliseconds, */
const timeoutMs = 1_000;
/** and how long it may wait for its turn. */
const longestWaitMs = 5_000;
/** How many are asked at the same time; each takes a descriptor. */
const atOnce = 32;

/** Questions to the endpoints of a discovery; aborted by `signal`. */
export async function askClusters({ dialer, sources }: Discovered, signal: AbortSignal): Promise<AskCluster> {
  const { etcdStatus } = await import("@gw/health");
  const { serverNames, certificates } = sources;
  // Its certificate is checked separately.
  const { ca: _, ...client } = certificates.files;
  const status = etcdStatus({
    ...client,
    serverNames,
    dial: (endpoint, signal) => dialer.dial(endpoint, { signal }),
    timeoutMs,
  });
  const limited = createLimiter({ limit: atOnce });
  return endpoint => {
    const since = systemClock.now();
    return limited(async () => {
      if (systemClock.now() - since > longestWaitMs)
        return { clusterError: `not asked within ${longestWaitMs} ms` };
      try {
        const { clusterId } = await status(endpoint, signal);
        return clusterId === undefined ? { clusterError: "it cannot tell" } : { clusterId };
      } catch (error) {
        return { clusterError: GatewayError.from(error, `ask ${formatAddress(endpoint)}`).detail };
      }
    });
  };
}
