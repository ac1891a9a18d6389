import { lookup as systemLookup } from "node:dns/promises";
import {
  type Discovery,
  type Endpoint,
  formatAddress,
  GatewayError,
  sameEndpoint,
  systemClock,
} from "@gw/interface";
import { type Reading, type RefreshOptions, refreshBounds, refreshing } from "../refreshing.js";
import { without } from "../sets.js";
import { createAdvertised } from "./advertised.js";
import { createCluster, type MemberList, type MembersAuth } from "./cluster.js";
import { connectable } from "./connectable.js";
import { firstAnswer } from "./first-answer.js";
import type { MembersTls } from "./post.js";
import { type Seeding, withSeeds } from "./seeding.js";

export type { MembersAuth } from "./cluster.js";
export type { MembersTls } from "./post.js";

/** Options of {@link members}. */
export interface MembersOptions extends Omit<RefreshOptions, "emptyAfterMs"> {
  /** Where to ask at first, and the way back when no member answers. In use until the members are known. */
  readonly seeds: Discovery;
  /**
   * How often the cluster is asked, in milliseconds, within `maxRefreshMs`. After a failure it is asked again
   * after `minRefreshMs`, then at doubled distances up to this. @default 30000
   */
  readonly intervalMs?: number | undefined;
  /** For one request, and for the attempt to connect to a new member, in milliseconds. @default 5000 */
  readonly timeoutMs?: number | undefined;
  /** For endpoints that are `secure`. A function is called before each look. @default what Node trusts */
  readonly tls?: MembersTls | (() => MembersTls | Promise<MembersTls>) | undefined;
  /** Names that a certificate may be for in place of the endpoint's host: the discovery domain. */
  readonly serverNames?: readonly string[] | undefined;
  /**
   * For clusters that have authentication on. A function is called before each look. Where `tls` names a CA, only
   * endpoints that are `secure` get to see it.
   */
  readonly auth?:
    | MembersAuth
    | (() => MembersAuth | undefined | Promise<MembersAuth | undefined>)
    | undefined;
  /** Resolves a host to IP addresses, best first. @default getaddrinfo */
  readonly lookup?: ((host: string) => Promise<readonly string[]>) | undefined;
}

/** What holds where {@link MembersOptions} are silent. */
export const membersDefaults = { intervalMs: 30_000, timeoutMs: 5_000 } as const;

const source = "members";

/**
 * The members of an etcd cluster, as it tells them itself (`POST /v3/cluster/member/list`): one endpoint for
 * each voting member that has started, with priority and weight 0. Learners are left out until they are
 * promoted. Of several client URLs of a member one is used, the first that can be reached from here, so that
 * each member gets the same share.
 *
 * The seeds are yielded until the members are known. From then on they only serve to ask, when no member
 * answers; if nobody does, the last list holds. A member whose URL cannot be reached is told to the observer
 * (`endpointUnreachable`), and used. Where that holds for all members while a seed answers, as with containers
 * that advertise addresses of their own network, the seeds stay in use, or are used again.
 *
 * Each server is asked by itself, the members in random order and then the seeds, until one answers.
 *
 * The iteration ends when the signal is aborted. It throws what the seeds throw, and what `tls` or `auth` throw
 * of the configuration's errors before the members were known.
 *
 * @throws {GatewayError} `invalid-option` if a time is not more than 0
 */
export function members(options: MembersOptions): Discovery {
  const { intervalMs = membersDefaults.intervalMs, timeoutMs = membersDefaults.timeoutMs } = options;
  for (const [name, value] of Object.entries({ intervalMs, timeoutMs }))
    if (!(value > 0)) throw new GatewayError("invalid-option", `${name} ${value} is not more than 0`);
  const { minRefreshMs, maxRefreshMs } = refreshBounds(options);
  const longest = Math.min(intervalMs, maxRefreshMs);
  const refresh = {
    ...options,
    minRefreshMs: Math.min(minRefreshMs, longest),
    maxRefreshMs: longest,
    emptyAfterMs: undefined,
  };
  const known = (seeding: Seeding): Discovery =>
    refreshing(source, createLook(options, seeding, timeoutMs), refresh);
  return { watch: request => withSeeds(options.seeds, known, request) };
}

/** Asks once, whoever answers first. */
function createLook(
  options: MembersOptions,
  seeding: Seeding,
  timeoutMs: number,
): (signal: AbortSignal) => Promise<Reading> {
  const { lookup = systemAddresses, clock = systemClock, random = Math.random, serverNames = [] } = options;
  const cluster = createCluster();
  const advertised = createAdvertised(source, options.observer, (endpoint, signal) =>
    connectable(endpoint, lookup, { clock, timeoutMs, signal }),
  );
  let last: readonly Endpoint[] = [];

  return async signal => {
    const seeds = await seeding.seeds();
    const tls = (await current(options.tls)) ?? {};
    const auth = await current(options.auth);
    const post = { tls, serverNames, lookup, timeoutMs, clock, signal };
    const ask = async (one: Endpoint): Promise<MemberList> => {
      if (auth && tls.ca !== undefined && one.secure !== true)
        throw new GatewayError(
          "not-permitted",
          `${formatAddress(one)} is without TLS: no credentials for it`,
        );
      return cluster.list(one, auth, post);
    };
    const tiers = [last, without(seeds, last)];
    const { list, endpoint } = await firstAnswer(tiers, random, ask, signal);
    try {
      last = await advertised.endpointsOf(list, endpoint, signal);
      seeding.use(last);
      return { endpoints: last, ttlMs: Number.POSITIVE_INFINITY, why: "the cluster's members changed" };
    } catch (error) {
      // A member in use that answers can be reached, whatever is advertised; a seed may be the only one.
      if (!last.some(member => sameEndpoint(member, endpoint))) seeding.use(undefined);
      throw error;
    }
  };
}

function current<T>(given: T | (() => T | Promise<T>)): T | Promise<T> {
  return typeof given === "function" ? (given as () => T | Promise<T>)() : given;
}

async function systemAddresses(host: string): Promise<readonly string[]> {
  return (await systemLookup(host, { all: true })).map(({ address }) => address);
}
