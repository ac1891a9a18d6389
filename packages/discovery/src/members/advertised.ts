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
import type { MemberList } from "./cluster.js";
import { isLoopback } from "./loopback.js";

/** How many connections are tried at the same time; each takes a descriptor or two. */
const atOnce = 16;
/** How many URLs a warning names. */
const mostNamed = 5;

/** Which endpoints a list of members comes down to. */
export interface Advertised {
  /**
   * One endpoint for each started, voting member: the one used so far, or the first of its client URLs that can
   * be reached, or the first. Whatever has not been reached yet is tried, 16 at a time. Addresses of a member's own
   * machine or network are left out, and so are members that have no others.
   *
   * @param askedAt the endpoint that told the list
   * @throws {GatewayError} if there is none; `unreachable` if none can be reached
   */
  endpointsOf(list: MemberList, askedAt: Endpoint, signal: AbortSignal): Promise<readonly Endpoint[]>;
}

/**
 * Judges advertised client URLs; tells `observer` which are not used, or cannot be reached, once while it is so.
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
  const refused = once((endpoint, error) =>
    notify(observer, "endpointRejected", { source, endpoint, error }),
  );
  const unreachable = once((endpoint, error) =>
    notify(observer, "endpointUnreachable", { source, endpoint, error }),
  );
  const limited = createLimiter({ limit: atOnce });
  return {
    async endpointsOf(list, askedAt, signal) {
      const { members } = list;
      const all = members.flatMap(({ learner, endpoints }) =>
        endpoints.map(endpoint => ({ learner, endpoint, error: refusalOf(endpoint, learner, list) })),
      );
      const refusals = all.flatMap(({ endpoint, error }) => (error ? [{ endpoint, error }] : []));
      refused([...refusals, ...notUsed(list, askedAt)]);
      const out = new Set(refusals.map(({ endpoint }) => endpoint));
      const started = members.filter(({ learner, endpoints }) => !learner && endpoints.length > 0);
      const voters = started
        .map(({ endpoints }) => ({ endpoints: endpoints.filter(endpoint => !out.has(endpoint)) }))
        .filter(({ endpoints }) => endpoints.length > 0);
      if (started.length === 0)
        throw new GatewayError("unknown", `${formatAddress(askedAt)} tells of no started, voting member`);
      if (voters.length === 0)
        throw noneReachable(
          started.length,
          refusals.find(({ endpoint }) => started.some(one => one.endpoints.includes(endpoint)))?.error,
        );

      // Each connection listens to it, and Node.js takes more than ten listeners for a leak.
      setMaxListeners(4 * atOnce, signal);
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
      unreachable(failing);
      if (failing.length === chosen.length) throw noneReachable(chosen.length, failing[0]?.error);
      used = new Set(chosen.map(formatAddress));
      return chosen;
    },
  };
}

/** What a learner refuses: all but serializable reads, so that clients would fail there (etcd 3.4 and later). */
function isLearner(endpoint: Endpoint): GatewayError {
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
 * Why an advertised endpoint is not used. What is at an address of somebody's own machine or link depends on who asks, so
 * that a member could have this machine connect to services that only it can reach.
 */
function refusalOf(
  endpoint: Endpoint,
  learner: boolean,
  { local, linkLocal = false }: MemberList,
): GatewayError | undefined {
  if (learner) return isLearner(endpoint);
  const name = formatAddress(endpoint);
  const scope = isLoopback(endpoint.host) ? "loopback" : scopeOf(endpoint.host);
  const says = {
    loopback: local ? undefined : "is the member's own machine to it, but this machine here",
    "link-local": linkLocal ? undefined : "is link-local, and the member was not reached at such an address",
    unspecified: "is an address to listen at, not one to connect to",
    multicast: "is a multicast address, not one to connect to",
  };
  const why = scope && says[scope];
  return why === undefined ? undefined : new GatewayError("unreachable", `${name} ${why}`);
}

/** What is said of client URLs that are left out from the first. */
function notUsed({ leftOut = [] }: MemberList, askedAt: Endpoint): readonly Fault[] {
  if (leftOut.length === 0) return [];
  const named = leftOut.slice(0, mostNamed).map(quote).join(", ");
  const more = leftOut.length > mostNamed ? ` and ${leftOut.length - mostNamed} more` : "";
  const detail = `client URLs that the members advertise are not used, more than 64 or without their interface: ${named}${more}`;
  return [{ endpoint: askedAt, error: new GatewayError("invalid-endpoint", detail) }];
}

/** Of the URLs of a member. Those of its own machine come last: here, somebody else may listen there. */
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

/** Tells each endpoint's fault when it is new or another one than before. */
function once(tell: (endpoint: Endpoint, error: GatewayError) => void): (faults: readonly Fault[]) => void {
  const reported = createReportOnce();
  return faults => {
    reported.retain(faults.map(({ endpoint }) => formatAddress(endpoint)));
    for (const { endpoint, error } of faults)
      if (reported.isNew(formatAddress(endpoint), error.code)) tell(endpoint, error);
  };
}
