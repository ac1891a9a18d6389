import {
  type Endpoint,
  formatAddress,
  GatewayError,
  sameEndpoint,
  systemClock,
  type WatchOptions,
} from "@gw/interface";
import { without } from "../endpoint-sets.js";
import { type Reading, type RefreshOptions, refreshing } from "../refresh.js";
import { createSystemLookup } from "../system/system-lookup.js";
import { createAdvertised } from "./advertised.js";
import { createCluster, type MemberList } from "./cluster.js";
import { connectable } from "./connectable.js";
import { firstAnswer } from "./first-answer.js";
import type { MembersOptions } from "./members.js";
import { type Seeding, withSeeds } from "./seeding.js";

const source = "members";

/** The seeds, then the members, as `members` says. */
export function watchMembers(
  options: MembersOptions,
  timeoutMs: number,
  refresh: RefreshOptions,
  request: WatchOptions,
): AsyncGenerator<readonly Endpoint[], void, undefined> {
  const known = (seeding: Seeding) => refreshing(source, createLook(options, seeding, timeoutMs), refresh);
  return withSeeds(options.seeds, known, request);
}

/** Asks once, whoever answers first. */
function createLook(
  options: MembersOptions,
  seeding: Seeding,
  timeoutMs: number,
): (signal: AbortSignal) => Promise<Reading> {
  const { lookup = systemAddresses(), clock = systemClock, random = Math.random, serverNames = [] } = options;
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

function systemAddresses(): (host: string) => Promise<readonly string[]> {
  const lookup = createSystemLookup();
  return async host => (await lookup(host)).addresses;
}
