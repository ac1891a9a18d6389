import { GatewayError, type Verdict } from "@gw/interface";
import type { Ailment, Finding, Status } from "./etcd-answers.js";
import { ill, well } from "./verdict.js";

/**
 * What a member's own words come down to.
 *
 * @param status undefined where it is not known
 */
export function judge(level: string, finding: Finding, status: Status | undefined, doing: string): Verdict {
  const ailment = worseOf(finding.ailment, status);
  if (ailment !== undefined) return unhealthy(level, ailment, doing, finding.says);
  return well(level, status?.alarms.some(({ alarm }) => alarm === "NOSPACE") ? noSpace : undefined);
}

/** What `status` alone says against a member: it needs no quorum, so that it is said at once. */
export function ailmentIn(status: Status | undefined): Ailment | undefined {
  if (!status) return undefined;
  if (status.learner) return "learner";
  if (status.alarms.some(({ alarm, own }) => alarm === "CORRUPT" && own)) return "corrupt-here";
  return status.leader ? undefined : "no-leader";
}

/** The verdict on a member that has `ailment`. */
export function unhealthy(level: string, ailment: Ailment, doing: string, says?: string): Verdict {
  const { scope, sentence } = ailments[ailment];
  const error = new GatewayError("unhealthy", `${doing}: ${sentence}${says ? ` (${says})` : ""}`);
  return ill(level, error, scope);
}

function worseOf(ailment: Ailment | undefined, status: Status | undefined): Ailment | undefined {
  const told = ailmentIn(status);
  // That it knew no leader a moment before or after may be why a read failed, but takes nothing from one that did not.
  if (told === "no-leader") return ailment === "no-consensus" ? told : ailment;
  return told ?? ailment;
}

const noSpace =
  "the alarm NOSPACE is on: the cluster refuses writes until its data are compacted and the alarm is disarmed";

const ailments: {
  readonly [ailment in Ailment]: { readonly scope: Verdict["scope"]; readonly sentence: string };
} = {
  "no-leader": { scope: "cluster", sentence: "it knows no leader" },
  "no-consensus": { scope: "cluster", sentence: "its cluster does not agree on a read" },
  corrupt: { scope: "cluster", sentence: "the alarm CORRUPT is on, so that its cluster refuses writes" },
  "corrupt-here": { scope: "endpoint", sentence: "its data are corrupt" },
  learner: { scope: "endpoint", sentence: "it is a learner, which refuses clients" },
  unwell: { scope: "endpoint", sentence: "it says that it is not well" },
};
