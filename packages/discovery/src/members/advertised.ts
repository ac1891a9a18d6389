import { type Endpoint, formatAddress, GatewayError, notify, type Observer } from "@gw/interface";
import { union } from "../sets.js";
import type { MemberList } from "./cluster.js";
import { isLoopback } from "./loopback.js";

/** Which endpoints a list of members comes down to. */
export interface Advertised {
  /**
   * One endpoint for each started, voting member: the one used so far, or the first of its client URLs that can
   * be reached, or the first. Whatever has not been reached yet is tried.
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
  const refused = once((endpoint, error) => notify(observer, "endpointRefused", { source, endpoint, error }));
  const unreachable = once((endpoint, error) =>
    notify(observer, "endpointUnreachable", { source, endpoint, error }),
  );
  return {
    async endpointsOf({ members, local }, askedAt, signal) {
      refused(
        members.flatMap(({ learner, endpoints }) =>
          learner ? endpoints.map(endpoint => ({ endpoint, error: isLearner(endpoint) })) : [],
        ),
      );
      const voters = members.filter(({ learner, endpoints }) => !learner && endpoints.length > 0);
      if (voters.length === 0)
        throw new GatewayError("unknown", `${formatAddress(askedAt)} tells of no started, voting member`);

      const faults = new Map<string, GatewayError>();
      const all = union(voters.map(({ endpoints }) => endpoints));
      await Promise.all(
        all.map(async endpoint => {
          const name = formatAddress(endpoint);
          if (reached.has(name) || name === formatAddress(askedAt)) return;
          try {
            refuseElsewhere(endpoint, local);
            await connectable(endpoint, signal);
          } catch (error) {
            faults.set(name, GatewayError.from(error, `connect to ${name}`));
          }
        }),
      );
      if (signal.aborted) throw new GatewayError("aborted", "given up");
      reached = new Set(all.map(formatAddress).filter(name => !faults.has(name)));

      const chosen = union(voters.map(({ endpoints }) => [best(endpoints, reached, used)]));
      const failing = chosen.flatMap(endpoint => {
        const error = faults.get(formatAddress(endpoint));
        return error ? [{ endpoint, error }] : [];
      });
      unreachable(failing);
      if (failing.length === chosen.length)
        throw new GatewayError(
          "unreachable",
          `none of the client URLs that the members advertise can be reached from here (${chosen.length}): ${failing[0]?.error.detail}`,
        );
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

/** What is somebody's own address cannot be told to others. */
function refuseElsewhere(endpoint: Endpoint, local: boolean): void {
  const name = formatAddress(endpoint);
  if (endpoint.host === "0.0.0.0" || endpoint.host === "::")
    throw new GatewayError("unreachable", `${name} is an address to listen at, not one to connect to`);
  if (!local && isLoopback(endpoint.host))
    throw new GatewayError("unreachable", `${name} is the member's own machine to it, but this machine here`);
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
  let told: ReadonlyMap<string, string> = new Map();
  return faults => {
    const before = told;
    told = new Map(faults.map(({ endpoint, error }) => [formatAddress(endpoint), error.code]));
    for (const { endpoint, error } of faults)
      if (before.get(formatAddress(endpoint)) !== error.code) tell(endpoint, error);
  };
}
