import type { Socket } from "node:net";
import {
  createDial,
  createHttpClient,
  createMemberLister,
  createTlsContext,
  type Dial,
  type EtcdAuth,
  type Lookup,
  type MemberLister,
  type TlsOptions,
} from "@gw/etcd-client";
import {
  type Clock,
  type Discovery,
  type Endpoint,
  formatAddress,
  GatewayError,
  type Limits,
  sameEndpoint,
  startDeadline,
  systemClock,
  type WatchOptions,
} from "@gw/interface";
import { scopeOf } from "../address-scope.js";
import { without } from "../endpoint-sets.js";
import { type Reading, type RefreshOptions, refreshing } from "../refresh.js";
import { createSystemLookup } from "../system/system-lookup.js";
import { createAdvertised } from "./advertised.js";
import { type AdvertisingCluster, isSameMachine, parseClientUrls } from "./client-urls.js";
import { type Seeding, withSeeds } from "./seeding.js";

/** The part of `MembersOptions` that this file uses, with `timeoutMs` and the refresh bounds resolved. */
export interface WatchMembersOptions extends RefreshOptions {
  readonly seeds: Discovery;
  readonly timeoutMs: number;
  readonly tls?: TlsOptions | (() => TlsOptions | Promise<TlsOptions>) | undefined;
  readonly serverNames?: readonly string[] | undefined;
  readonly auth?: EtcdAuth | (() => EtcdAuth | undefined | Promise<EtcdAuth | undefined>) | undefined;
  readonly lookup?: Lookup | undefined;
}

const source = "members";

/** Yields the seeds, then the members, as `members` describes. Loaded with the first watch: HTTP and TLS take time. */
export function watchMembers(
  options: WatchMembersOptions,
  request: WatchOptions,
): AsyncGenerator<readonly Endpoint[], void, undefined> {
  const known = (seeding: Seeding) => refreshing(source, createRead(options, seeding), options);
  return withSeeds(options.seeds, known, request);
}

/** Asks the members in use, then the seeds, until one server answers. */
function createRead(
  options: WatchMembersOptions,
  seeding: Seeding,
): (signal: AbortSignal) => Promise<Reading> {
  const { timeoutMs, clock = systemClock, random = Math.random, serverNames } = options;
  const dial = createDial(options.lookup ?? systemAddresses());
  const lister = createMemberLister();
  const advertised = createAdvertised(source, options.observer, (endpoint, signal) =>
    tryConnect(endpoint, dial, { clock, timeoutMs, signal }),
  );
  let last: readonly Endpoint[] = [];

  return async signal => {
    const seeds = await seeding.seeds();
    const tls = { ...(await resolve(options.tls)), serverNames };
    const auth = await resolve(options.auth);
    const ask = (endpoint: Endpoint): Promise<AdvertisingCluster> =>
      askServer(endpoint, { lister, dial, clock, timeoutMs, tls, auth, signal });
    const tiers = [last, without(seeds, last)];
    const { cluster, endpoint } = await firstAnswer(tiers, random, ask, signal);
    try {
      last = await advertised.endpointsOf(cluster, endpoint, signal);
      seeding.use(last);
      return { endpoints: last, ttlMs: Number.POSITIVE_INFINITY, why: "the cluster's members changed" };
    } catch (error) {
      // A member in use that answers is reachable, whatever is advertised; a seed may be the only one that is.
      if (!last.some(member => sameEndpoint(member, endpoint))) seeding.use(undefined);
      throw error;
    }
  };
}

function resolve<T>(given: T | (() => T | Promise<T>)): T | Promise<T> {
  return typeof given === "function" ? (given as () => T | Promise<T>)() : given;
}

function systemAddresses(): Lookup {
  const lookup = createSystemLookup();
  return async host => (await lookup(host)).addresses;
}

/** More than the member list of any cluster, in bytes. */
const maxBytes = 1024 * 1024;

/** Asks one server for the members, on a connection of its own. */
async function askServer(
  endpoint: Endpoint,
  context: {
    readonly lister: MemberLister;
    readonly dial: Dial;
    readonly clock: Clock;
    readonly timeoutMs: number;
    readonly tls: TlsOptions;
    readonly auth: EtcdAuth | undefined;
    readonly signal: AbortSignal;
  },
): Promise<AdvertisingCluster> {
  const { lister, dial, clock, tls, auth } = context;
  const name = formatAddress(endpoint);
  if (auth && tls.ca !== undefined && endpoint.secure !== true)
    throw new GatewayError("not-permitted", `${name} is without TLS: no credentials for it`);
  try {
    // Files that cannot be used matter only to servers that need them.
    const client = { dial, clock, maxBytes, tls: createTlsContext(endpoint.secure ? tls : {}) };
    const { members, localAddress, remoteAddress } = await lister.list(
      createHttpClient(client),
      endpoint,
      auth,
      context,
    );
    return {
      ...parseClientUrls(members, `ask ${name}`),
      isLocal: isSameMachine(localAddress, remoteAddress),
      isLinkLocal: scopeOf(remoteAddress) === "link-local",
    };
  } catch (error) {
    throw explained(GatewayError.from(error, `ask ${name}`), endpoint);
  }
}

/** Adds the advice to write `https://`, and maps codes that have another meaning for a source of endpoints. */
function explained(error: GatewayError, endpoint: Endpoint): GatewayError {
  const { code, detail } = error;
  const operation = `ask ${formatAddress(endpoint)}`;
  const as = (other: GatewayError["code"], text: string): GatewayError =>
    new GatewayError(other, text, { cause: error });
  if (code === "unhealthy") return as("unknown", detail);
  // A source whose configuration is invalid would end; files of certificates may be repaired.
  if (code === "invalid-option") return as("untrusted", `${operation}: ${detail}`);
  if (code === "untrusted" && !endpoint.secure)
    return as("untrusted", `${operation}: it speaks TLS; write https:// in front of it`);
  if (code === "reset" && endpoint.secure === undefined)
    return as("reset", `${detail}; if it speaks TLS, write https:// in front of it`);
  return error;
}

/**
 * The answer of the first server that gives one. Those of a tier are asked in random order, before those of the next.
 *
 * @throws {GatewayError} with the reasons of some, and the code of one, if none answers
 */
async function firstAnswer(
  tiers: readonly (readonly Endpoint[])[],
  random: () => number,
  ask: (endpoint: Endpoint) => Promise<AdvertisingCluster>,
  signal: AbortSignal,
): Promise<{ readonly cluster: AdvertisingCluster; readonly endpoint: Endpoint }> {
  const errors: GatewayError[] = [];
  for (const endpoint of tiers.flatMap(tier => shuffled(tier, random))) {
    if (signal.aborted) break;
    try {
      return { cluster: await ask(endpoint), endpoint };
    } catch (error) {
      errors.push(GatewayError.from(error, `ask ${formatAddress(endpoint)}`));
    }
  }
  throw summaryOf(errors);
}

/** How many reasons a summary contains. */
const maxReasons = 3;

/** Sorted by address, so that the same failures have the same text, whichever server was asked first. */
function summaryOf(errors: readonly GatewayError[]): GatewayError {
  const sorted = errors.toSorted((a, b) => (a.detail < b.detail ? -1 : 1));
  const [first] = sorted;
  if (!first) return new GatewayError("unknown", "there is no server to ask for the members");
  const reasons = sorted.slice(0, maxReasons).map(({ detail }) => detail);
  const more = errors.length > maxReasons ? `; and ${errors.length - maxReasons} more` : "";
  const detail = `no server lists the members: ${reasons.join("; ")}${more}`;
  return new GatewayError(first.code, detail, { cause: first });
}

/** Fisher and Yates. */
function shuffled(endpoints: readonly Endpoint[], random: () => number): readonly Endpoint[] {
  const order = [...endpoints];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j] as Endpoint, order[i] as Endpoint];
  }
  return order;
}

/** Opens a TCP connection to an endpoint and closes it. @throws {GatewayError} why that is not possible */
async function tryConnect(
  endpoint: Endpoint,
  dial: Dial,
  limits: Limits & { readonly signal: AbortSignal },
): Promise<void> {
  const operation = `connect to ${formatAddress(endpoint)}`;
  const deadline = startDeadline(operation, limits);
  const close = (socket: Socket): void => void socket.on("error", () => {}).destroy();
  try {
    close(await deadline.bound(dial(endpoint, deadline.signal), close));
  } catch (error) {
    if (!(error instanceof GatewayError)) throw GatewayError.from(error, operation);
    if (error.detail.startsWith(operation)) throw error;
    throw new GatewayError(error.code, `${operation}: ${error.detail}`, { cause: error });
  } finally {
    deadline.cancel();
  }
}
