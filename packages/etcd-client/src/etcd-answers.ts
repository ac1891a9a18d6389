import { quote } from "@gw/interface";

/**
 * What is wrong with a member.
 *
 * - `no-leader`: it knows no leader: the quorum is lost, or this member is cut off
 * - `no-consensus`: a read that the cluster has to agree on fails
 * - `corrupt`: the alarm CORRUPT is on, so that every member refuses writes
 * - `corrupt-here`: the data of this very member differ from those of others
 * - `learner`: it has no vote yet, and refuses clients
 * - `unhealthy`: any other fault of its own
 */
export type Condition = "no-leader" | "no-consensus" | "corrupt" | "corrupt-here" | "learner" | "unhealthy";

/** What a member reports of its own health. */
export interface HealthReport {
  /** Absent if it is healthy. */
  readonly condition?: Condition;
  /** The reason in its own words, quoted. */
  readonly reason?: string;
}

/** What etcd's `Status` call returns; it needs no quorum. */
export interface Status {
  /** Whether it knows a leader. */
  readonly leader: boolean;
  readonly learner: boolean;
  /** Alarms that are on, and whether they are this member's. */
  readonly alarms: readonly { readonly alarm: string; readonly own: boolean }[];
}

/** The identity of a member, from its `Status`; fields that are not in the response are absent. */
export interface MemberIdentity {
  /** Of the server, as `3.5.21`. */
  readonly version?: string;
  /** In hexadecimal, as etcdctl prints it. */
  readonly clusterId?: string;
  readonly memberId?: string;
  /** The leader that it knows; absent if it knows none. */
  readonly leaderId?: string;
  /** Grows with each election. */
  readonly raftTerm?: number;
  readonly learner?: boolean;
  readonly dbSizeBytes?: number;
}

/** The part of a response that is read. */
interface Reply {
  readonly status: number;
  readonly text: string;
}

/**
 * Reads the response to `/readyz?verbose`; undefined if it is not etcd's. Its lines are `[+]linearizable_read ok` and
 * `[-]linearizable_read failed: …`, in any order; some versions list only those that failed.
 *
 * Source: etcd 3.4.29 and later, 3.5.11 and later, 3.6: `etcdhttp/health.go`.
 */
export function readReadyz({ status, text }: Reply): HealthReport | undefined {
  if (status !== 200 && status !== 503) return undefined;
  const lines = [...text.matchAll(/^\[(?<mark>[+-])\](?<check>\w+)(?: failed: (?<why>.*))?/gm)];
  // Kubernetes' servers have a /readyz of the same form, with other checks.
  if (!lines.some(line => isEtcdCheck(line.groups?.["check"]))) return undefined;
  if (status === 200) return {};
  const failed = lines.filter(line => line.groups?.["mark"] === "-");
  const worst = order.map(check => failed.find(line => line.groups?.["check"] === check)).find(Boolean);
  const { check = "", why = "" } = (worst ?? failed[0])?.groups ?? {};
  return {
    condition: (Object.hasOwn(checks, check) && checks[check]) || "unhealthy",
    reason: quote(`${check}: ${why}`),
  };
}

/** The condition that each failed check of `/readyz` stands for; the first one explains the others. */
const checks: { readonly [check: string]: Condition } = {
  non_learner: "learner",
  data_corruption: "corrupt",
  serializable_read: "unhealthy",
  linearizable_read: "no-consensus",
};
const order = Object.keys(checks);

function isEtcdCheck(check = ""): boolean {
  return Object.hasOwn(checks, check);
}

/**
 * Reads the response to `/health?exclude=NOSPACE`; undefined if it is not etcd's. The body is `{"health":"true"}` with
 * 200 or `{"health":"false"}` with 503, and since 3.5 has a `reason`.
 *
 * Source: etcd 3.4 `etcdhttp/metrics.go`, 3.5 and 3.6 `etcdhttp/health.go`. 3.3 and before wrote a boolean at times.
 */
export function readHealth({ status, text }: Reply): HealthReport | undefined {
  if (status !== 200 && status !== 503) return undefined;
  const answer = parseObject(text);
  const health = answer?.["health"];
  if (health === "true" || health === true) return {};
  if (health !== "false" && health !== false) return undefined;
  const given = answer?.["reason"];
  if (typeof given !== "string" || given === "") return { condition: "no-consensus" };
  const reason = quote(given);
  if (given === "RAFT NO LEADER") return { condition: "no-leader", reason };
  if (given === "ALARM CORRUPT") return { condition: "corrupt", reason };
  // With authentication on, some 3.5 read without a user. That is refused only after the cluster has agreed on it.
  if (/^RANGE ERROR:.*(?:auth|user name|permission denied)/.test(given) || given === "ALARM NOSPACE")
    return {};
  return { condition: /^(?:RANGE|QGET) ERROR/.test(given) ? "no-consensus" : "unhealthy", reason };
}

/**
 * Reads the response to a POST to `/v3/maintenance/status`; undefined if it has no status, as where authentication is
 * on and demanded for that (3.5.28 and later, 3.6). 64-bit numbers are strings, and what is zero is left out.
 *
 * Source: etcd 3.4 to 3.6 `v3rpc/maintenance.go`, `etcdserverpb/rpc.proto`.
 */
export function readStatus({ status, text }: Reply): Status | undefined {
  const answer = status === 200 ? parseObject(text) : undefined;
  const id = asObject(answer?.["header"])?.["member_id"];
  const { leader, isLearner } = answer ?? {};
  if (!answer || hexadecimal(id) === undefined) return undefined;
  if (leader !== undefined && leader !== "0" && hexadecimal(leader) === undefined) return undefined;
  const errors = Array.isArray(answer["errors"]) ? answer["errors"] : [];
  const alarms = errors.flatMap((error: unknown) => {
    if (typeof error !== "string") return [];
    const { member = "", alarm } =
      /^(?:memberID:(?<member>\d+)\s+)?alarm:(?<alarm>\w+)/.exec(error)?.groups ?? {};
    return alarm === undefined ? [] : [{ alarm, own: member === id }];
  });
  return { leader: hexadecimal(leader) !== undefined, learner: isLearner === true, alarms };
}

/** Reads the member's identity from the response to a POST to `/v3/maintenance/status`; undefined if it has none. */
export function readIdentity({ status, text }: Reply): MemberIdentity | undefined {
  const answer = status === 200 ? parseObject(text) : undefined;
  const header = asObject(answer?.["header"]);
  const memberId = hexadecimal(header?.["member_id"]);
  if (!answer || memberId === undefined) return undefined;
  const clusterId = hexadecimal(header?.["cluster_id"]);
  const leaderId = hexadecimal(answer["leader"]);
  const raftTerm = positive(header?.["raft_term"]);
  const version = plainVersion(answer["version"]);
  const dbSizeBytes = positive(answer["dbSize"]);
  return {
    memberId,
    learner: answer["isLearner"] === true,
    ...(clusterId !== undefined && { clusterId }),
    ...(leaderId !== undefined && { leaderId }),
    ...(raftTerm !== undefined && { raftTerm }),
    ...(version !== undefined && { version }),
    ...(dbSizeBytes !== undefined && { dbSizeBytes }),
  };
}

/** Reads the server's version from the response to `/version`; undefined if it is not etcd's. */
export function readVersion({ status, text }: Reply): string | undefined {
  return status === 200 ? plainVersion(parseObject(text)?.["etcdserver"]) : undefined;
}

/** 64-bit numbers are decimal strings in JSON; zero, which is left out at times, means none. */
function decimal(value: unknown): bigint | undefined {
  if (typeof value !== "string" || !/^[1-9]\d{0,19}$/.test(value)) return undefined;
  const number = BigInt(value);
  return number < 2n ** 64n ? number : undefined;
}

function hexadecimal(id: unknown): string | undefined {
  return decimal(id)?.toString(16);
}

/** A number that is not zero, as long as it is exact. */
function positive(value: unknown): number | undefined {
  const number = Number(decimal(value) ?? 0n);
  return number > 0 && Number.isSafeInteger(number) ? number : undefined;
}

function plainVersion(version: unknown): string | undefined {
  return typeof version === "string" && /^\d{1,5}(?:\.\d{1,5}){1,2}[-+.\w]{0,40}$/.test(version)
    ? version
    : undefined;
}

/** An object of JSON. */
export interface JsonObject {
  readonly [key: string]: unknown;
}

/** The object that `text` is in JSON; undefined if it is none. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null ? (value as JsonObject) : undefined;
}
