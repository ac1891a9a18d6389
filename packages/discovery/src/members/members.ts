import type { EtcdAuth, TlsOptions } from "@gw/etcd-client";
import { type Discovery, GatewayError } from "@gw/interface";
import { type RefreshOptions, refreshBounds } from "../refresh.js";

/** How to prove who asks: a user of etcd, or a token (a JWT, for one). */
export type MembersAuth = EtcdAuth;

/** Whom to trust in TLS, and who to be; PEM. Without `ca`, Node's CAs are trusted. */
export type MembersTls = Pick<TlsOptions, "ca" | "cert" | "key">;

/** Options of {@link members}. */
export interface MembersOptions extends Omit<RefreshOptions, "emptyAfterMs"> {
  /** The servers to ask at first, and when no member answers. They are yielded until the members are known. */
  readonly seeds: Discovery;
  /**
   * How often the cluster is asked, in milliseconds, within `maxRefreshMs`. After a failure it is asked again
   * after `minRefreshMs`, then after twice as long each time, up to this. @default 30000
   */
  readonly intervalMs?: number | undefined;
  /** For one request, and for a connection to a new member, in milliseconds. @default 5000 */
  readonly timeoutMs?: number | undefined;
  /** For endpoints that are `secure`. A function is called before each read. @default Node's CAs */
  readonly tls?: MembersTls | (() => MembersTls | Promise<MembersTls>) | undefined;
  /** Names that a certificate may carry instead of the endpoint's host: the discovery domain. */
  readonly serverNames?: readonly string[] | undefined;
  /**
   * For clusters that have authentication on. A function is called before each read. If `tls` has a CA, credentials
   * are sent only to endpoints that are `secure`.
   */
  readonly auth?:
    | MembersAuth
    | (() => MembersAuth | undefined | Promise<MembersAuth | undefined>)
    | undefined;
  /** Resolves a host to IP addresses, best first. @default createSystemLookup() */
  readonly lookup?: ((host: string) => Promise<readonly string[]>) | undefined;
}

/** Defaults of {@link MembersOptions}. */
export const membersDefaults = { intervalMs: 30_000, timeoutMs: 5_000 } as const;

/**
 * The members of an etcd cluster, as its servers list them (`POST /v3/cluster/member/list`): one endpoint for each voting
 * member that has started, with priority and weight 0. Learners are left out until they are promoted. Of several client
 * URLs of a member one is used, the first that is reachable, so that each member gets the same share.
 *
 * The seeds are yielded until the members are known. From then on they are only asked, when no member answers; if no seed
 * answers either, the last list stays. A member whose URL is not reachable is reported (`endpointUnreachable`), and used.
 * If that is so for all members while a seed answers, as with containers that advertise addresses of their own network, the
 * seeds stay in use, or are used again.
 *
 * One server is asked at a time, the members in random order and then the seeds, until one answers.
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
  const resolved = {
    ...options,
    timeoutMs,
    minRefreshMs: Math.min(minRefreshMs, longest),
    maxRefreshMs: longest,
    emptyAfterMs: undefined,
  };
  return {
    async *watch(request) {
      const { watchMembers } = await import("./watch-members.js");
      yield* watchMembers(resolved, request);
    },
  };
}
