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

/** A response to a health question. */
export interface HealthReply {
  /** Undefined if it is not etcd's. */
  readonly report: HealthReport | undefined;
  /** Whether the connection was new, so that another version, or another member, may have answered. */
  readonly isFresh: boolean;
}

/** A response to `Status`; each part is undefined if it is not in the response. */
export interface StatusReply {
  readonly status: Status | undefined;
  readonly identity: MemberIdentity | undefined;
}

/** The calls that etcd answers without authentication. They reject as {@link HttpClient.request} does. */
export interface EtcdCalls {
  /** `GET /readyz` (etcd 3.4.29, 3.5.11, 3.6 and later), check by check. */
  readyz(endpoint: Endpoint, limits: RequestLimits): Promise<HealthReply>;
  /** `GET /health`, without the alarm NOSPACE: reads and deletions go on, and all members have it. */
  health(endpoint: Endpoint, limits: RequestLimits): Promise<HealthReply>;
  /** `GET` of a path that answers as one of the two, such as `/livez`, which is asked check by check as well. */
  healthAt(path: string, endpoint: Endpoint, limits: RequestLimits): Promise<HealthReply>;
  /** `Status`, which needs no quorum. */
  status(endpoint: Endpoint, limits: RequestLimits): Promise<StatusReply>;
  /** The server's version, as `3.5.21`; undefined if the server is not etcd. */
  version(endpoint: Endpoint, limits: RequestLimits): Promise<string | undefined>;
}

export function createEtcdCalls(http: HttpClient): EtcdCalls {
  const ask = async (
    read: (response: { readonly status: number; readonly text: string }) => HealthReport | undefined,
    path: string,
    endpoint: Endpoint,
    limits: RequestLimits,
  ): Promise<HealthReply> => {
    const response = await http.request(endpoint, { path }, limits);
    return { report: read(response), isFresh: response.isFresh };
  };
  return {
    readyz: (endpoint, limits) => ask(readReadyz, "/readyz?verbose", endpoint, limits),
    health: (endpoint, limits) => ask(readHealth, "/health?exclude=NOSPACE", endpoint, limits),
    healthAt: (path, endpoint, limits) =>
      ask(response => readReadyz(response) ?? readHealth(response), verbose(path), endpoint, limits),
    async status(endpoint, limits) {
      const response = await http.request(endpoint, { path: "/v3/maintenance/status", body: "{}" }, limits);
      return { status: readStatus(response), identity: readIdentity(response) };
    },
    version: async (endpoint, limits) =>
      readVersion(await http.request(endpoint, { path: "/version" }, limits)),
  };
}

/** The same path, asking for each check where etcd would answer "ok" alone. */
function verbose(path: string): string {
  if (!/^\/(?:readyz|livez)(?=\?|$)(?!.*\bverbose\b)/.test(path)) return path;
  return `${path}${path.includes("?") ? "&" : "?"}verbose`;
}
