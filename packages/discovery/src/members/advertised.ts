import { setMaxListeners } from "node:events";
import {
  createLimiter,
  createReportOnce,
  type Endpoint,
  formatAddress,
  GatewayError,
  notify,
  type Observer,
  quote,
} from "@gw/interface";
import { scopeOf } from "../address-scope.js";
import { union } from "../endpoint-sets.js";
import { type AdvertisingCluster, isLoopback } from "./client-urls.js";

/** How many connections are tried at the same time; each takes a descriptor or two. */
const maxConcurrent = 16;
/** How many URLs a warning names. */
const maxNamed = 5;

/** Selects the endpoints to use from a list of members. */
export interface Advertised {
  /**
   * One endpoint for each started, voting member: the one used so far, or the first of its client URLs that is
   * reachable, or the first. Those that have not been reached yet are tried, 16 at a time. Addresses that mean the member's
   * own machine or link are left out, and so are members that have no others.
   *
   * @param askedAt the endpoint of the server that sent the list
   * @throws {GatewayError} if there is none; `unreachable` if none is reachable
   */
  endpointsOf(
    cluster: AdvertisingCluster,
    askedAt: Endpoint,
    signal: AbortSignal,
  ): Promise<readonly Endpoint[]>;
}

/**
 * Reports to `observer` which client URLs are not used, or not reachable, once for as long as that is so.
 *
 * @param connectable rejects with a GatewayError if no connection can be made
 */
export function createAdvertised(
  source: string,
  observer: Observer | undefined,
  connectable: (endpoint: Endpoint, signal: AbortSignal) => Promise<void>,
): Advertised {
  let reached: ReadonlySet<string> = new Set();
  let used: ReadonlySet<string> = new Set();
  const rejected = (fault: Fault): void => notify(observer, "endpointRejected", { source, ...fault });
  const reportRejected = onChange(rejected);
  const reportIgnored = onChange(rejected);
  const reportUnreachable = onChange(fault => notify(observer, "endpointUnreachable", { source, ...fault }));
  const limited = createLimiter({ limit: maxConcurrent });
  return {
    async endpointsOf(cluster, askedAt, signal) {
      const { members } = cluster;
      const all = members.flatMap(({ isLearner, endpoints }) =>
        endpoints.map(endpoint => ({ endpoint, error: rejectionOf(endpoint, isLearner, cluster) })),
      );
      const rejections = all.flatMap(({ endpoint, error }) => (error ? [{ endpoint, error }] : []));
      reportRejected(rejections);
      reportIgnored(ignoredOf(cluster, askedAt));
      const out = new Set(rejections.map(({ endpoint }) => endpoint));
      const started = members.filter(({ isLearner, endpoints }) => !isLearner && endpoints.length > 0);
      const voters = started
        .map(({ endpoints }) => ({ endpoints: endpoints.filter(endpoint => !out.has(endpoint)) }))
        .filter(({ endpoints }) => endpoints.length > 0);
      if (started.length === 0)
        throw new GatewayError("unknown", `${formatAddress(askedAt)} lists no started, voting member`);
      if (voters.length === 0)
        throw noneReachable(
          started.length,
          rejections.find(({ endpoint }) => started.some(one => one.endpoints.includes(endpoint)))?.error,
        );

      // Each connection adds a listener, and Node warns of a leak from eleven on.
      setMaxListeners(4 * maxConcurrent, signal);
      const faults = new Map<string, GatewayError>();
      const offered = union(voters.map(({ endpoints }) => endpoints));
      await Promise.all(
        offered.map(async endpoint => {
          const name = formatAddress(endpoint);
          if (reached.has(name) || name === formatAddress(askedAt)) return;
          try {
            await limited(async () => signal.aborted || connectable(endpoint, signal));
          } catch (error) {
            faults.set(name, GatewayError.from(error, `connect to ${name}`));
          }
        }),
      );
      if (signal.aborted) throw new GatewayError("aborted", "given up");
      reached = new Set(offered.map(formatAddress).filter(name => !faults.has(name)));

      const chosen = union(voters.map(({ endpoints }) => [best(endpoints, reached, used)]));
      const failing = chosen.flatMap(endpoint => {
        const error = faults.get(formatAddress(endpoint));
        return error ? [{ endpoint, error }] : [];
      });
      reportUnreachable(failing);
      if (failing.length === chosen.length) throw noneReachable(chosen.length, failing[0]?.error);
      used = new Set(chosen.map(formatAddress));
      return chosen;
    },
  };
}

/** A learner refuses all requests but serializable reads (etcd 3.4 and later). */
function learnerError(endpoint: Endpoint): GatewayError {
  return new GatewayError(
    "invalid-endpoint",
    `${formatAddress(endpoint)} is a learner, which does not serve until it is promoted`,
  );
}

function noneReachable(count: number, error: GatewayError | undefined): GatewayError {
  return new GatewayError(
    "unreachable",
    `none of the client URLs that the members advertise can be reached from here (${count}): ${error?.detail}`,
  );
}

/**
 * Why an advertised endpoint is not used. Loopback and link-local addresses mean another server on each machine, so that a
 * member could have this machine connect to services that only it can reach.
 */
function rejectionOf(
  endpoint: Endpoint,
  isLearner: boolean,
  { isLocal, isLinkLocal = false }: AdvertisingCluster,
): GatewayError | undefined {
  if (isLearner) return learnerError(endpoint);
  const name = formatAddress(endpoint);
  const scope = isLoopback(endpoint.host) ? "loopback" : scopeOf(endpoint.host);
  const reasons = {
    loopback: isLocal ? undefined : "is a loopback address, and the member is on another machine",
    "link-local": isLinkLocal
      ? undefined
      : "is link-local, and the member was not reached at such an address",
    unspecified: "is an address to listen at, not one to connect to",
    multicast: "is a multicast address, not one to connect to",
  };
  const reason = scope && reasons[scope];
  return reason === undefined ? undefined : new GatewayError("unreachable", `${name} ${reason}`);
}

/** The report of the client URLs that are ignored. */
function ignoredOf({ ignored = [] }: AdvertisingCluster, askedAt: Endpoint): readonly Fault[] {
  if (ignored.length === 0) return [];
  const named = ignored.slice(0, maxNamed).map(quote).join(", ");
  const more = ignored.length > maxNamed ? ` and ${ignored.length - maxNamed} more` : "";
  const detail = `client URLs that the members advertise are not used, more than 64 or without their zone: ${named}${more}`;
  return [{ endpoint: askedAt, error: new GatewayError("invalid-endpoint", detail) }];
}

/** The best of a member's endpoints. Loopback ones come last: another server may listen there on this machine. */
function best(
  endpoints: readonly Endpoint[],
  reached: ReadonlySet<string>,
  used: ReadonlySet<string>,
): Endpoint {
  const ordered = endpoints.toSorted((a, b) => Number(isLoopback(a.host)) - Number(isLoopback(b.host)));
  const reachable = ordered.filter(endpoint => reached.has(formatAddress(endpoint)));
  const kept = reachable.find(endpoint => used.has(formatAddress(endpoint)));
  return (kept ?? reachable[0] ?? ordered[0]) as Endpoint;
}

interface Fault {
  readonly endpoint: Endpoint;
  readonly error: GatewayError;
}

/** Reports each fault when it is new, or another one than before. */
function onChange(report: (fault: Fault) => void): (faults: readonly Fault[]) => void {
  const reported = createReportOnce();
  // Members may advertise the same address, and have different faults.
  const keyOf = ({ endpoint, error }: Fault): string => `${formatAddress(endpoint)} ${error.code}`;
  return faults => {
    reported.retain(faults.map(keyOf));
    for (const fault of faults) if (reported.isNew(keyOf(fault), fault.error.code)) report(fault);
  };
}
