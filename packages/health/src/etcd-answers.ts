import { quote } from "@gw/interface";
import { asObject, objectIn } from "./json.js";

/**
 * What is wrong with a member.
 *
 * - `no-leader`: it knows no leader: the quorum is lost, or this member is cut off
 * - `no-consensus`: a read that the cluster has to agree on fails
 * - `corrupt`: the alarm CORRUPT is on, so that every member refuses writes
 * - `corrupt-here`: the data of this very member differ from those of others
 * - `learner`: it has no vote yet, and refuses clients
 * - `unwell`: anything else of its own
 */
export type Ailment = "no-leader" | "no-consensus" | "corrupt" | "corrupt-here" | "learner" | "unwell";

/** What a member says of its own health. */
export interface Finding {
  /** Absent if it is well. */
  readonly ailment?: Ailment;
  /** Its own words, quoted. */
  readonly says?: string;
}

/** What etcd's `Status` call tells; it needs no quorum. */
export interface Status {
  readonly leader: boolean;
  readonly learner: boolean;
  /** Alarms that are on, and whether they are this member's. */
  readonly alarms: readonly { readonly alarm: string; readonly own: boolean }[];
}

interface Reply {
  readonly status: number;
  readonly text: string;
}

/**
 * What `/readyz?verbose` says; undefined if it is not etcd that answers. Its lines are `[+]linearizable_read ok` and
 * `[-]linearizable_read failed: …`, in any order, only the failed ones if there are such in some versions.
 *
 * Source: etcd 3.4.29 and later, 3.5.11 and later, 3.6: `etcdhttp/health.go`.
 */
export function readyzIn({ status, text }: Reply): Finding | undefined {
  if (status !== 200 && status !== 503) return undefined;
  const lines = [...text.matchAll(/^\[(?<mark>[+-])\](?<check>\w+)(?: failed: (?<why>.*))?/gm)];
  // Kubernetes' servers have a /readyz of the same form, with other checks.
  if (!lines.some(line => isEtcds(line.groups?.["check"]))) return undefined;
  if (status === 200) return {};
  const failed = lines.filter(line => line.groups?.["mark"] === "-");
  const worst = order.map(check => failed.find(line => line.groups?.["check"] === check)).find(Boolean);
  const { check = "", why = "" } = (worst ?? failed[0])?.groups ?? {};
  return {
    ailment: (Object.hasOwn(checks, check) && checks[check]) || "unwell",
    says: quote(`${check}: ${why}`),
  };
}

/** What the checks of `/readyz` mean when they fail. */
const checks: { readonly [check: string]: Ailment } = {
  non_learner: "learner",
  data_corruption: "corrupt",
  serializable_read: "unwell",
  linearizable_read: "no-consensus",
};
/** The first one that failed explains the others. */
const order = Object.keys(checks);

function isEtcds(check = ""): boolean {
  return Object.hasOwn(checks, check);
}

/**
 * What `/health?exclude=NOSPACE` says; undefined if it is not etcd that answers. The body is `{"health":"true"}` with
 * 200 or `{"health":"false"}` with 503, and since 3.5 has a `reason`.
 *
 * Source: etcd 3.4 `etcdhttp/metrics.go`, 3.5 and 3.6 `etcdhttp/health.go`. 3.3 and before wrote a boolean at times.
 */
export function healthIn({ status, text }: Reply): Finding | undefined {
  if (status !== 200 && status !== 503) return undefined;
  const answer = objectIn(text);
  const health = answer?.["health"];
  if (health === "true" || health === true) return {};
  if (health !== "false" && health !== false) return undefined;
  const reason = answer?.["reason"];
  if (typeof reason !== "string" || reason === "") return { ailment: "no-consensus" };
  const says = quote(reason);
  if (reason === "RAFT NO LEADER") return { ailment: "no-leader", says };
  if (reason === "ALARM CORRUPT") return { ailment: "corrupt", says };
  // With authentication on, some 3.5 make the read as nobody. It is refused only after the cluster has agreed on it.
  if (/^RANGE ERROR:.*(?:auth|user name|permission denied)/.test(reason) || reason === "ALARM NOSPACE")
    return {};
  return { ailment: /^(?:RANGE|QGET) ERROR/.test(reason) ? "no-consensus" : "unwell", says };
}

/**
 * What a POST to `/v3/maintenance/status` tells; undefined if nothing, as where authentication is on and demanded
 * for that. 64-bit numbers are strings, and what is zero is left out.
 *
 * Source: etcd 3.4 to 3.6 `v3rpc/maintenance.go`, `etcdserverpb/rpc.proto`.
 */
export function statusIn({ status, text }: Reply): Status | undefined {
  const answer = status === 200 ? objectIn(text) : undefined;
  const header = asObject(answer?.["header"]);
  const id = header?.["member_id"];
  if (!answer || typeof id !== "string") return undefined;
  const errors = Array.isArray(answer["errors"]) ? answer["errors"] : [];
  const alarms = errors.flatMap((error: unknown) => {
    if (typeof error !== "string") return [];
    const { member = "", alarm } =
      /^(?:memberID:(?<member>\d+)\s+)?alarm:(?<alarm>\w+)/.exec(error)?.groups ?? {};
    return alarm === undefined ? [] : [{ alarm, own: member === id }];
  });
  const { leader = "0", isLearner } = answer;
  return { leader: leader !== "0", learner: isLearner === true, alarms };
}
