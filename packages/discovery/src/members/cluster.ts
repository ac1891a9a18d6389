import { type Endpoint, formatAddress, GatewayError, quote } from "@gw/interface";
import { type Member, membersIn, type Refusal, refusalIn, tokenIn } from "./answer.js";
import { type Answer, type PostOptions, post } from "./post.js";

/** How to prove who asks: a user of etcd, or a token (a JWT, for one). */
export type MembersAuth = { readonly user: string; readonly password: string } | { readonly token: string };

/** Asks servers of one cluster. It keeps the token of a log-in until it is refused. */
export interface Cluster {
  /**
   * The members as `endpoint` tells them.
   *
   * @throws {GatewayError} which holds neither password nor token
   */
  list(endpoint: Endpoint, auth: MembersAuth | undefined, options: PostOptions): Promise<MemberList>;
}

/** What one server said. */
export interface MemberList {
  readonly members: readonly Member[];
  /** Client URLs that are not used, since there are too many. @default none */
  readonly leftOut?: readonly string[] | undefined;
  /** Whether the server runs on this machine. */
  readonly local: boolean;
  /** Whether it was reached at a link-local address. @default false */
  readonly linkLocal?: boolean | undefined;
}

export function createCluster(): Cluster {
  let session: { readonly of: string; readonly token: string | undefined } | undefined;

  return {
    async list(endpoint, auth, options) {
      const from = `ask ${formatAddress(endpoint)}`;
      const secrets: string[] = auth ? ["token" in auth ? auth.token : auth.password] : [];
      const logIn = async (): Promise<string | undefined> => {
        if (!auth || "token" in auth) return auth?.token;
        const of = JSON.stringify([auth.user, auth.password]);
        if (session?.of !== of) session = { of, token: await tokenFor(endpoint, auth, from, options) };
        return session.token;
      };
      const ask = async (): Promise<Answer> => {
        const token = await logIn();
        if (token !== undefined) secrets.push(token);
        // A member that has lost the others must not tell an old list: etcd 3.5 and later ask the leader for
        // this. 3.4 knows no such field, and answers from what it has.
        return post(endpoint, "/v3/cluster/member/list", { linearizable: true }, token, options);
      };
      let answer = await ask();
      let refusal = refusalIn(answer);
      if (refusal && auth && !("token" in auth) && isAboutAuth(answer, refusal)) {
        session = undefined;
        answer = await ask();
        refusal = refusalIn(answer);
      }
      if (refusal) throw refused(answer, refusal, endpoint, from, secrets);
      return { ...membersIn(answer, from), local: answer.local, linkLocal: answer.linkLocal };
    },
  };
}

/** A token for the user; undefined where the cluster has authentication off, and every client may ask. */
async function tokenFor(
  endpoint: Endpoint,
  { user, password }: { readonly user: string; readonly password: string },
  from: string,
  options: PostOptions,
): Promise<string | undefined> {
  const answer = await post(endpoint, "/v3/auth/authenticate", { name: user, password }, undefined, options);
  const refusal = refusalIn(answer);
  if (!refusal) return tokenIn(answer, from);
  if (/authentication is not enabled/.test(refusal.says)) return undefined;
  throw refused(answer, refusal, endpoint, `${from} as ${quote(user)}`, [password]);
}

/** Codes of gRPC, which etcd's gateway passes on: PERMISSION_DENIED and UNAUTHENTICATED. */
const authCodes: readonly (number | undefined)[] = [7, 16];

/** Some of it comes as INVALID_ARGUMENT: `user name is empty`, `revision of auth store is old`. */
function isAboutAuth({ status }: Answer, { code, says }: Refusal): boolean {
  return status === 401 || status === 403 || authCodes.includes(code) || /auth|user name/i.test(says);
}

function refused(
  answer: Answer,
  refusal: Refusal,
  { secure }: Endpoint,
  from: string,
  secrets: readonly string[],
): GatewayError {
  const { status, text } = answer;
  if (status >= 300 && status < 400)
    return new GatewayError(
      "unknown",
      `${from}: it answers with a redirect (${status}), which is not followed`,
    );
  // What Go's servers say.
  if (!secure && status === 400 && /HTTPS server/.test(text))
    return new GatewayError("untrusted", `${from}: it speaks TLS; write https:// in front of it`);
  const says = secrets
    .filter(secret => secret !== "")
    .reduce((rest, secret) => rest.replaceAll(secret, "…"), refusal.says);
  const code = isAboutAuth(answer, refusal) ? "not-permitted" : "unknown";
  return new GatewayError(code, `${from}: it refuses${says ? `, ${quote(says)}` : ""} (status ${status})`);
}
