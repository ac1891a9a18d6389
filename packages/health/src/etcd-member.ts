import type { MemberStatus } from "./etcd-status.js";
import { asObject, objectIn } from "./json.js";

interface Reply {
  readonly status: number;
  readonly text: string;
}

/** What can be read from an answer to `Status` beside alarms. */
export type Member = Omit<MemberStatus, "secure" | "alarms">;

/** Who answers a POST to `/v3/maintenance/status`; undefined if that is not told. */
export function memberIn({ status, text }: Reply): Member | undefined {
  const answer = status === 200 ? objectIn(text) : undefined;
  const header = asObject(answer?.["header"]);
  const memberId = hexadecimal(header?.["member_id"]);
  if (!answer || memberId === undefined) return undefined;
  const clusterId = hexadecimal(header?.["cluster_id"]);
  const leaderId = hexadecimal(answer["leader"]);
  const version = plainVersion(answer["version"]);
  const dbSizeBytes = typeof answer["dbSize"] === "string" ? Number(answer["dbSize"]) : 0;
  return {
    memberId,
    learner: answer["isLearner"] === true,
    ...(clusterId !== undefined && { clusterId }),
    ...(leaderId !== undefined && { leaderId }),
    ...(version !== undefined && { version }),
    ...(Number.isSafeInteger(dbSizeBytes) && dbSizeBytes > 0 && { dbSizeBytes }),
  };
}

/** The server's version in an answer to `/version`; undefined if that is no etcd's. */
export function versionIn({ status, text }: Reply): string | undefined {
  return status === 200 ? plainVersion(objectIn(text)?.["etcdserver"]) : undefined;
}

/** 64-bit numbers are decimal strings in JSON; what is zero is left out or means nobody. */
function hexadecimal(id: unknown): string | undefined {
  return typeof id === "string" && /^[1-9]\d{0,19}$/.test(id) ? BigInt(id).toString(16) : undefined;
}

function plainVersion(version: unknown): string | undefined {
  return typeof version === "string" && /^\d{1,5}(?:\.\d{1,5}){1,2}[-+.\w]{0,40}$/.test(version)
    ? version
    : undefined;
}
