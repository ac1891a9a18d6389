import { type Discovery, GatewayError } from "@gw/interface";
import { type RefreshOptions, refreshBounds } from "../refresh.js";
import type { MembersAuth } from "./cluster.js";
import type { MembersTls } from "./post.js";

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
  /** Resolves a host to IP addresses, best first. @default createSystemLookup() */
  readonly lookup?: ((host: string) => Promise<readonly string[]>) | undefined;
}

/** What holds where {@link MembersOptions} are silent. */
export const membersDefaults = { intervalMs: 30_000, timeoutMs: 5_000 } as const;

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
  return {
    async *watch(request) {
      // HTTP and TLS are needed by those only who ask the cluster.
      const { watchMembers } = await import("./watch-members.js");
      yield* watchMembers(options, timeoutMs, refresh, request);
    },
  };
}
