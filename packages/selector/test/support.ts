import { type Endpoint, GatewayError, type Lease, type Observer, type Selector } from "@gw/interface";
import { type ManualClock, manualClock } from "@gw/testing";
import type { EndpointPool } from "../src/pool/endpoint-pool.js";
import type { PoolOptions } from "../src/pool/options.js";
import { createPool } from "../src/pool/pool.js";

export function endpoint(host: string, rest: Partial<Endpoint> = {}): Endpoint {
  return { host, port: 2379, priority: 0, weight: 0, ...rest };
}

export const [a, b, c] = [endpoint("a"), endpoint("b"), endpoint("c")];

export const refused = new GatewayError("refused", "connection refused");
export const timedOut = new GatewayError("timed-out", "no answer");
export const noDescriptors = new GatewayError("out-of-resources", "out of file descriptors");

/** Always the first, so that tests know which. */
const first: Selector = { pick: candidates => candidates[0] };

/** One candidate after the other. */
export function inTurn(): Selector {
  let picks = 0;
  return {
    pick(candidates) {
      picks += 1;
      return candidates[(picks - 1) % candidates.length];
    },
  };
}

/** Those of the pool; the clock is one of the rig's own if none is given. */
export type RigOptions = Omit<PoolOptions, "clock"> & { readonly clock?: ManualClock };

export interface Rig {
  readonly pool: EndpointPool;
  readonly clock: ManualClock;
  /** The events of the pool, a line each. */
  readonly log: string[];
  /** A lease for a client that has tried `tried`; `revoked` has the errors with which it was revoked. */
  take(...tried: readonly Endpoint[]): TakenLease;
  /** The hosts of the leases that new clients get, one by one, of which each is released at once. */
  hosts(clients: number): readonly string[];
}

export interface TakenLease extends Lease {
  readonly revoked: readonly GatewayError[];
  /** What its holder does when it is revoked. */
  onRevoked: () => void;
}

/** A pool of `endpoints` that picks the first, retries each 1000 ms of its manual clock, without jitter, and logs its events. */
export function rig(
  endpoints: readonly Endpoint[],
  { clock = manualClock(), ...options }: RigOptions = {},
): Rig {
  const log: string[] = [];
  const pool = createPool({
    selector: first,
    retryDelayMs: 1_000,
    maxRetryDelayMs: 1_000,
    random: () => 0,
    clock,
    observer: writingTo(log),
    ...options,
  });
  pool.update(endpoints);
  log.length = 0;
  const take: Rig["take"] = (...tried) => {
    const revoked: GatewayError[] = [];
    const onRevoked = (error: GatewayError): void => {
      revoked.push(error);
      taken.onRevoked();
    };
    const lease = pool.acquire({ tried, onRevoked });
    if (!lease) throw new Error("no lease");
    const taken = Object.assign(lease, { revoked, onRevoked() {} });
    return taken;
  };
  const hosts: Rig["hosts"] = clients =>
    Array.from({ length: clients }, () => {
      const lease = take();
      lease.released();
      return lease.endpoint.host;
    });
  return { pool, clock, log, take, hosts };
}

/** An observer that writes a line for each event. */
function writingTo(log: string[]): Observer {
  const names = (endpoints: readonly Endpoint[]): string => endpoints.map(({ host }) => host).join(",");
  return {
    poolChanged: ({ added, removed }) => log.push(`changed +${names(added)} -${names(removed)}`),
    endpointDown: ({ endpoint, error, retryInMs }) =>
      log.push(`down ${endpoint.host} for ${retryInMs}: ${error.detail}`),
    endpointStillDown: ({ endpoint, error, retryInMs }) =>
      log.push(`still down ${endpoint.host} for ${retryInMs}: ${error.detail}`),
    endpointUp: ({ endpoint, downMs }) => log.push(`up ${endpoint.host} after ${downMs}`),
    closingConnections: ({ endpoint, connections, withinMs }) =>
      log.push(`closing ${connections} of ${endpoint.host} within ${withinMs}`),
    recyclingConnections: ({ endpoint, connections, cause }) =>
      log.push(`recycling ${connections} of ${endpoint.host} for ${cause}`),
    failover: ({ from, to, why }) => log.push(`failover ${from.host} to ${to.host}: ${why}`),
    panic: ({ cause, endpoints, error }) => log.push(`panic ${cause} ${names(endpoints)}: ${error.detail}`),
    panicOver: ({ panicMs }) => log.push(`panic over after ${panicMs}`),
    selectorFailed: ({ error }) => log.push(error.message),
  };
}

/** Numbers in [0, 1), always the same for one seed (xorshift32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
