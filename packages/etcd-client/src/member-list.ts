import { type Endpoint, GatewayError, quote } from "@gw/interface";
import { asObject, parseObject } from "./etcd-answers.js";
import { askOperation, demandsTls, type HttpClient, type RequestLimits } from "./http-client.js";
import type { HttpResponse } from "./http-exchange.js";

/** How to prove who asks: a user of etcd, or a token (a JWT, for one). */
export type EtcdAuth = { readonly user: string; readonly password: string } | { readonly token: string };

/** A member as the cluster lists it. */
export interface ListedMember {
  readonly name: string;
  /** As the member advertises them; none before it has started. Not checked. */
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

/** The answer of one server. */
export interface MemberList {
  readonly members: readonly ListedMember[];
  /** The address at which the server was reached, and the one of this side of the connection. */
  readonly remoteAddress: string;
  readonly localAddress: string;
}

/**
 * Asks servers of one cluster for its members. Keeps the token of a log-in until the cluster refuses it, and the last list on
 * which the cluster has agreed: a server that lists the same from memory, which costs it next to nothing, need not ask the
 * others. A list that differs counts only if the cluster agrees on it.
 */
export interface MemberLister {
  /**
   * The members as `endpoint` lists them (`POST /v3/cluster/member/list`, after `POST /v3/auth/authenticate` for a user).
   *
   * @param auth is sent as it is: over plain HTTP too
   * @throws {GatewayError} `not-permitted` if the cluster refuses `auth`; `unknown` if the answer is not one; and what
   *   {@link HttpClient.request} rejects with. None holds the password or a token
   */
  list(
    http: HttpClient,
    endpoint: Endpoint,
    auth: EtcdAuth | undefined,
    limits: RequestLimits,
  ): Promise<MemberList>;
}

export function createMemberLister(): MemberLister {
  let session: { readonly of: string; readonly token: string | undefined } | undefined;
  /** The last list on which the cluster has agreed, as text. */
  let agreed: string | undefined;

  return {
    async list(http, endpoint, auth, limits) {
      const secrets: string[] = auth ? ["token" in auth ? auth.token : auth.password] : [];
      const logIn = async (): Promise<string | undefined> => {
        if (!auth || "token" in auth) return auth?.token;
        const of = JSON.stringify([auth.user, auth.password]);
        if (session?.of !== of) session = { of, token: await authenticate(http, endpoint, auth, limits) };
        return session.token;
      };
      const operation = askOperation(endpoint);
      const ask = async (linearizable: boolean): Promise<HttpResponse> => {
        const authorization = await logIn();
        if (authorization !== undefined) secrets.push(authorization);
        // A member that has lost the others, or was just started, must not return an old list: etcd 3.5 and later ask the
        // leader for this. 3.4 knows no such field, and answers from what it has.
        const body = JSON.stringify({ linearizable });
        return http.request(endpoint, { path: "/v3/cluster/member/list", body, authorization }, limits);
      };
      const answerTo = async (linearizable: boolean): Promise<HttpResponse> => {
        let response = await ask(linearizable);
        let refusal = readRefusal(response);
        if (refusal && auth && !("token" in auth) && isAboutAuth(response, refusal)) {
          session = undefined;
          response = await ask(linearizable);
          refusal = readRefusal(response);
        }
        if (refusal) throw refused(response, refusal, endpoint, operation, secrets);
        return response;
      };
      let response = await answerTo(agreed === undefined);
      let members = readMembers(response, operation);
      if (agreed !== undefined && JSON.stringify(members) !== agreed) {
        response = await answerTo(true);
        members = readMembers(response, operation);
      }
      agreed = JSON.stringify(members);
      const { remoteAddress, localAddress } = response;
      return { members, remoteAddress, localAddress };
    },
  };
}

/** A token for the user; undefined if the cluster has authentication off, and every client may ask. */
async function authenticate(
  http: HttpClient,
  endpoint: Endpoint,
  { user, password }: { readonly user: string; readonly password: string },
  limits: RequestLimits,
): Promise<string | undefined> {
  const operation = askOperation(endpoint);
  const body = JSON.stringify({ name: user, password });
  const response = await http.request(endpoint, { path: "/v3/auth/authenticate", body }, limits);
  const refusal = readRefusal(response);
  if (!refusal) return readToken(response, operation);
  if (/authentication is not enabled/.test(refusal.reason)) return undefined;
  throw refused(response, refusal, endpoint, `${operation} as ${quote(user)}`, [password]);
}

/** etcd's reason to refuse a call, with gRPC's code. */
export interface Refusal {
  readonly code: number | undefined;
  readonly reason: string;
}

/** Why etcd refused; undefined if it did not. */
export function readRefusal({ status, text }: Pick<HttpResponse, "status" | "text">): Refusal | undefined {
  if (status === 200) return undefined;
  const { error, message, code } = parseObject(text) ?? {};
  const [reason = ""] = [error, message].filter(one => typeof one === "string");
  return { code: typeof code === "number" ? code : undefined, reason };
}

/** Codes of gRPC, which etcd's gateway passes on: PERMISSION_DENIED and UNAUTHENTICATED. */
const authCodes: readonly (number | undefined)[] = [7, 16];

/** Some come as INVALID_ARGUMENT: `user name is empty`, `revision of auth store is old`. */
function isAboutAuth({ status }: HttpResponse, { code, reason }: Refusal): boolean {
  return status === 401 || status === 403 || authCodes.includes(code) || /auth|user name/i.test(reason);
}

function refused(
  response: HttpResponse,
  refusal: Refusal,
  { secure }: Endpoint,
  operation: string,
  secrets: readonly string[],
): GatewayError {
  const { status } = response;
  if (status >= 300 && status < 400)
    return new GatewayError(
      "unknown",
      `${operation}: it answers with a redirect (${status}), which is not followed`,
    );
  if (!secure && demandsTls(response))
    return new GatewayError("untrusted", `${operation}: it speaks TLS, not plain text`);
  const reason = secrets
    .filter(secret => secret !== "")
    .reduce((rest, secret) => rest.replaceAll(secret, "…"), refusal.reason);
  const code = isAboutAuth(response, refusal) ? "not-permitted" : "unknown";
  return new GatewayError(
    code,
    `${operation}: it refuses${reason ? `, ${quote(reason)}` : ""} (status ${status})`,
  );
}

/** The token in the response to a log-in. @throws {GatewayError} which never holds a part of the response */
export function readToken({ text }: Pick<HttpResponse, "text">, operation: string): string {
  const { token } = parseObject(text) ?? {};
  // It becomes a header, so nothing else may be in it.
  if (typeof token === "string" && token.length <= 16_384 && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new GatewayError("unknown", `${operation}: its answer to a log-in is no token`);
}

/** etcd advises at most seven members. A server that lies must not make this side do much work. */
const maxMembers = 100;
const maxUrlsPerMember = 10_000;
const maxUrlLength = 2_048;

/**
 * The members in a response; `etcdserverpb.MemberListResponse` in JSON, as etcd 3.4 to 3.6 write it.
 *
 * @throws {GatewayError} `unknown` if it is not one
 */
export function readMembers(
  { text }: Pick<HttpResponse, "text">,
  operation: string,
): readonly ListedMember[] {
  const fault = (where?: string): GatewayError => {
    const detail = `${operation}: its answer is not a member list`;
    return new GatewayError("unknown", where ? `${detail}: ${where} is missing or invalid` : detail);
  };
  const answer = parseObject(text);
  if (!answer || Array.isArray(answer)) throw fault();
  const { members } = answer;
  if (!Array.isArray(members) || members.length < 1 || members.length > maxMembers) throw fault("members");
  return members.map((given: unknown, index) => {
    const where = `members.${index}`;
    const member = asObject(given);
    if (!member || Array.isArray(member)) throw fault(where);
    const { name = "", clientURLs = [], isLearner = false } = member;
    if (typeof name !== "string") throw fault(`${where}.name`);
    if (!Array.isArray(clientURLs) || clientURLs.length > maxUrlsPerMember)
      throw fault(`${where}.clientURLs`);
    const wrong = clientURLs.findIndex(url => typeof url !== "string" || url.length > maxUrlLength);
    if (wrong >= 0) throw fault(`${where}.clientURLs.${wrong}`);
    if (typeof isLearner !== "boolean") throw fault(`${where}.isLearner`);
    return { name, clientUrls: clientURLs, isLearner };
  });
}
