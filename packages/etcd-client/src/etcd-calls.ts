import type { Endpoint } from "@gw/interface";
import {
  type HealthReport,
  type MemberIdentity,
  readHealth,
  readIdentity,
  readReadyz,
  readStatus,
  readVersion,
  type Status,
} from "./etcd-answers.js";
import type { HttpClient, RequestLimits } from "./http-client.js";
import type { HttpResponse } from "./http-exchange.js";

/** A response of a member. */
interface Reply {
  /** The HTTP status. */
  readonly httpStatus: number;
  /** See {@link HttpResponse.roundTripMs}. */
  readonly roundTripMs: number;
  /** Whether the connection was new, so that another version, or another member, may have answered. */
  readonly isFresh: boolean;
}

/** A response to a health question. */
export interface HealthReply extends Reply {
  /** Undefined if it is not etcd's. */
  readonly report: HealthReport | undefined;
  /** Whether it has a reason, though it may be empty: that of etcd 3.5 and later has, and that of 3.4 has not. */
  readonly hasReason: boolean;
}

/** A response to `Status`; each part is undefined if it is not in the response. */
export interface StatusReply extends Reply {
  readonly status: Status | undefined;
  readonly identity: MemberIdentity | undefined;
}

/** A response to `/version`. */
export interface VersionReply extends Reply {
  /** The server's version, as `3.5.21`; undefined if the server is not etcd. */
  readonly version: string | undefined;
}

/** The calls that etcd answers without authentication. They reject as {@link HttpClient.request} does. */
export interface EtcdCalls {
  /** `GET /readyz` (etcd 3.4.29, 3.5.11, 3.6 and later), check by check. */
  readyz(endpoint: Endpoint, limits: RequestLimits): Promise<HealthReply>;
  /** The same without the read on which the cluster has to agree: whatever this member knows itself. */
  localReadyz(endpoint: Endpoint, limits: RequestLimits): Promise<HealthReply>;
  /** `GET /health`, without the alarm NOSPACE: reads and deletions go on, and all members have it. */
  health(endpoint: Endpoint, limits: RequestLimits): Promise<HealthReply>;
  /** The same with a read of this member alone (etcd 3.5.3 and later); older ones answer as to `health`. */
  localHealth(endpoint: Endpoint, limits: RequestLimits): Promise<HealthReply>;
  /** `GET` of a path that answers as one of the two, such as `/livez`, which is asked check by check as well. */
  healthAt(path: string, endpoint: Endpoint, limits: RequestLimits): Promise<HealthReply>;
  /** `Status`, which needs no quorum. */
  status(endpoint: Endpoint, limits: RequestLimits): Promise<StatusReply>;
  /** `GET /version`. */
  version(endpoint: Endpoint, limits: RequestLimits): Promise<VersionReply>;
}

export function createEtcdCalls(http: HttpClient): EtcdCalls {
  const ask = async (
    read: (response: HttpResponse) => HealthReport | undefined,
    path: string,
    endpoint: Endpoint,
    limits: RequestLimits,
  ): Promise<HealthReply> => {
    const response = await http.request(endpoint, { path }, limits);
    return { ...replyOf(response), report: read(response), hasReason: /"reason" *:/.test(response.text) };
  };
  const readyz = "/readyz?verbose";
  const health = "/health?exclude=NOSPACE";
  return {
    readyz: (endpoint, limits) => ask(readReadyz, readyz, endpoint, limits),
    localReadyz: (endpoint, limits) =>
      ask(readReadyz, `${readyz}&exclude=linearizable_read`, endpoint, limits),
    health: (endpoint, limits) => ask(readHealth, health, endpoint, limits),
    localHealth: (endpoint, limits) => ask(readHealth, `${health}&serializable=true`, endpoint, limits),
    healthAt: (path, endpoint, limits) =>
      ask(response => readReadyz(response) ?? readHealth(response), verbose(path), endpoint, limits),
    async status(endpoint, limits) {
      const response = await http.request(endpoint, { path: "/v3/maintenance/status", body: "{}" }, limits);
      return { ...replyOf(response), status: readStatus(response), identity: readIdentity(response) };
    },
    async version(endpoint, limits) {
      const response = await http.request(endpoint, { path: "/version" }, limits);
      return { ...replyOf(response), version: readVersion(response) };
    },
  };
}

function replyOf({ status, roundTripMs, isFresh }: HttpResponse): Reply {
  return { httpStatus: status, roundTripMs, isFresh };
}

/** The same path, asking for each check where etcd would answer "ok" alone. */
function verbose(path: string): string {
  if (!/^\/(?:readyz|livez)(?=\?|$)(?!.*\bverbose\b)/.test(path)) return path;
  return `${path}${path.includes("?") ? "&" : "?"}verbose`;
}
