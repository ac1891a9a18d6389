import type {
  Condition,
  EtcdCalls,
  HealthReply,
  HealthReport,
  RequestLimits,
  Status,
  StatusReply,
} from "@gw/etcd-client";
import {
  type Clock,
  createExpiringMap,
  type Endpoint,
  formatAddress,
  GatewayError,
  type GatewayErrorCode,
  type Verdict,
} from "@gw/interface";
import { failed, healthy, healthyByHandshake, operationOf, unhealthy } from "./probe.js";
import type { ProbeTarget } from "./target.js";

/** The result of checking an endpoint as if it were etcd. */
type EtcdCheckResult =
  /** It speaks etcd, or the failure prevents it from speaking anything. */
  | { readonly verdict: Verdict }
  /** It does not speak etcd, for the reason `notEtcd`; `isHttp` is whether it speaks HTTP. */
  | { readonly notEtcd: GatewayError; readonly isHttp: boolean };

/** Checks one endpoint. Rejects only when it is aborted. */
export type EtcdCheck = (endpoint: Endpoint, signal: AbortSignal) => Promise<EtcdCheckResult>;

/** The status is asked again after this many checks: promotions and alarms are rare. */
const checksPerStatus = 12;
/** The part of the time that a read which the whole cluster has to agree on may take; the rest is to find out why. */
const readShare = 0.75;

/** What is known of one endpoint. */
interface Knowledge {
  /** Whether it has ever answered as etcd does. */
  isEtcd: boolean;
  /** The question that it answers; undefined until it is known, and again after each new connection. */
  question: Question | undefined;
  status: Status | undefined;
  checksUntilStatus: number;
  /** Whether the last check found a fault: then the status, which is quick, is asked first. */
  isUnhealthy: boolean;
}

interface Question {
  /** The name of the check in verdicts. */
  readonly check: string;
  readonly ask: (calls: EtcdCalls, endpoint: Endpoint, limits: RequestLimits) => Promise<HealthReply>;
}

/** The deepest first. */
const questions: readonly Question[] = [
  { check: "etcd /readyz", ask: (calls, endpoint, limits) => calls.readyz(endpoint, limits) },
  { check: "etcd /health", ask: (calls, endpoint, limits) => calls.health(endpoint, limits) },
];

export function createEtcdCheck(context: {
  readonly calls: EtcdCalls;
  readonly targetOf: (endpoint: Endpoint) => ProbeTarget;
  readonly timeoutMs: number;
  readonly clock: Clock;
}): EtcdCheck {
  const { calls, targetOf, timeoutMs, clock } = context;
  const known = createExpiringMap<Knowledge>(clock, () => ({
    isEtcd: false,
    question: undefined,
    status: undefined,
    checksUntilStatus: 0,
    isUnhealthy: false,
  }));
  return async (endpoint, signal) => {
    const knowledge = known.get(formatAddress(endpoint));
    const target = targetOf(endpoint);
    const operation = operationOf(endpoint);
    const endAt = clock.now() + timeoutMs;
    const limits = (share = 1): RequestLimits => ({
      timeoutMs: Math.max(1, (endAt - clock.now()) * share),
      signal,
    });
    const askStatus = async (share?: number): Promise<Status | undefined> => {
      const { status }: StatusReply = await calls.status(target.endpoint, limits(share));
      knowledge.status = status;
      knowledge.checksUntilStatus = checksPerStatus;
      return status;
    };
    const conclude = (verdict: Verdict): EtcdCheckResult => {
      knowledge.isUnhealthy = verdict.error !== undefined;
      return { verdict };
    };
    const check = (): string => knowledge.question?.check ?? (knowledge.isEtcd ? "etcd" : "tcp");
    const notEtcd = (error: GatewayError, isHttp: boolean): EtcdCheckResult =>
      knowledge.isEtcd ? conclude(failed(check(), error)) : { notEtcd: error, isHttp };

    try {
      if (knowledge.isUnhealthy && knowledge.isEtcd && target.isOwn) {
        const condition = conditionOf(await askStatus(readShare));
        if (condition) return conclude(verdictOn(condition, check(), operation));
      }
      const found = await askHealth(knowledge, target, question =>
        question.ask(calls, target.endpoint, limits(readShare)),
      );
      if (!found)
        return notEtcd(new GatewayError("unhealthy", `${operation}: it does not answer as etcd does`), true);
      const isDue = knowledge.checksUntilStatus <= 0 || found.report.condition !== undefined;
      knowledge.checksUntilStatus -= 1;
      // The status only adds to what is known already, so it may fail.
      const status = isDue && target.isOwn ? await askStatus().catch(() => undefined) : knowledge.status;
      return conclude(judge(found.check, found.report, status, operation));
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const error = GatewayError.from(thrown, operation);
      if (error.code === "certificate-refused") return { verdict: healthyByHandshake(error) };
      if (notHttp.has(error.code)) return notEtcd(error, false);
      if (error.code !== "timed-out") return conclude(failed(check(), error));
      // Does it answer at all? A member without a quorum does: only a read of the whole cluster hangs.
      const late = await askStatus().then(
        status => conditionOf(status) ?? (status || knowledge.isEtcd ? "no-consensus" : undefined),
        () => undefined,
      );
      if (signal.aborted) throw thrown;
      const within = (ms: number): string => `no answer within ${ms} ms`;
      if (late)
        return conclude(verdictOn(late, check(), operation, within(Math.round(timeoutMs * readShare))));
      return notEtcd(new GatewayError("timed-out", `${operation}: ${within(timeoutMs)}`), false);
    }
  };
}

/** The member's own report, by the deepest question that it answers; undefined if it answers none as etcd does. */
async function askHealth(
  knowledge: Knowledge,
  { path }: ProbeTarget,
  ask: (question: Question) => Promise<HealthReply>,
): Promise<{ readonly check: string; readonly report: HealthReport } | undefined> {
  for (const question of path === undefined ? questions : [questionAt(path)]) {
    if (knowledge.question && knowledge.question.check !== question.check) continue;
    const { report, isFresh } = await ask(question);
    // A new connection may lead to a new version, which answers another question, or to another member.
    knowledge.question = undefined;
    if (isFresh) knowledge.checksUntilStatus = 0;
    if (!report) continue;
    knowledge.isEtcd = true;
    if (!isFresh || question === questions[0]) knowledge.question = question;
    return { check: question.check, report };
  }
  return undefined;
}

/** A path of the user's choice. */
function questionAt(path: string): Question {
  return { check: `etcd ${path}`, ask: (calls, endpoint, limits) => calls.healthAt(path, endpoint, limits) };
}

/** What a server that does not speak HTTP does with a request. */
const notHttp: ReadonlySet<GatewayErrorCode> = new Set(["unhealthy", "reset"]);

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
  return healthy(check, status?.alarms.some(({ alarm }) => alarm === "NOSPACE") ? noSpace : undefined);
}

/** The fault that `status` alone shows: it needs no quorum, so it is known at once. */
function conditionOf(status: Status | undefined): Condition | undefined {
  if (!status) return undefined;
  if (status.learner) return "learner";
  if (status.alarms.some(({ alarm, own }) => alarm === "CORRUPT" && own)) return "corrupt-here";
  return status.leader ? undefined : "no-leader";
}

function verdictOn(condition: Condition, check: string, operation: string, reason?: string): Verdict {
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
