import type { Condition, HealthReport, Status } from "@gw/etcd-client";
import { GatewayError, type Verdict } from "@gw/interface";
import { healthy, unhealthy } from "./probe.js";

/**
 * The verdict on what a member reports.
 *
 * @param status undefined if it is not known
 */
export function judge(
  check: string,
  { condition, reason }: HealthReport,
  status: Status | undefined,
  operation: string,
): Verdict {
  const worst = worstOf(condition, status);
  if (worst !== undefined) return verdictOn(worst, check, operation, reason);
  return healthy(check, noteOn(status));
}

/** The verdict on what a member's status alone shows. */
export function judgeStatus(check: string, status: Status, operation: string): Verdict {
  const condition = conditionOf(status);
  return condition === undefined ? healthy(check, noteOn(status)) : verdictOn(condition, check, operation);
}

/** The fault that `status` alone shows: it needs no quorum, so it is known at once. */
export function conditionOf(status: Status | undefined): Condition | undefined {
  if (!status) return undefined;
  if (status.learner) return "learner";
  const corrupt = status.alarms.filter(({ alarm }) => alarm === "CORRUPT");
  if (corrupt.some(({ own }) => own)) return "corrupt-here";
  if (!status.leader) return "no-leader";
  return corrupt.length > 0 ? "corrupt" : undefined;
}

export function verdictOn(condition: Condition, check: string, operation: string, reason?: string): Verdict {
  const { scope, sentence } = conditions[condition];
  const detail = `${operation}: ${sentence}${reason ? ` (${reason})` : ""}`;
  return unhealthy(check, new GatewayError("unhealthy", detail), scope);
}

function worstOf(condition: Condition | undefined, status: Status | undefined): Condition | undefined {
  const shown = conditionOf(status);
  // A leader that was unknown a moment ago explains a read that failed, but does not refute one that succeeded.
  if (shown === "no-leader") return condition === "no-consensus" ? shown : condition;
  return shown ?? condition;
}

function noteOn(status: Status | undefined): string | undefined {
  return status?.alarms.some(({ alarm }) => alarm === "NOSPACE") ? noSpace : undefined;
}

const noSpace =
  "the alarm NOSPACE is on: the cluster refuses writes until its data are compacted and the alarm is disarmed";

const conditions: {
  readonly [condition in Condition]: { readonly scope: Verdict["scope"]; readonly sentence: string };
} = {
  "no-leader": { scope: "cluster", sentence: "it knows no leader" },
  "no-consensus": { scope: "cluster", sentence: "its cluster does not agree on a read" },
  corrupt: { scope: "cluster", sentence: "the alarm CORRUPT is on, so that its cluster refuses writes" },
  "corrupt-here": { scope: "endpoint", sentence: "its data are corrupt" },
  learner: { scope: "endpoint", sentence: "it is a learner, which refuses clients" },
  unhealthy: { scope: "endpoint", sentence: "it reports that it is unhealthy" },
};
