import type { EtcdCalls, HealthReply, RequestLimits } from "@gw/etcd-client";
import type { Endpoint } from "@gw/interface";

/** A question of health that a member may answer. */
export interface Question {
  /** The name of the check in verdicts. */
  readonly check: string;
  readonly ask: (calls: EtcdCalls, endpoint: Endpoint, limits: RequestLimits) => Promise<HealthReply>;
}

const readyz: Question = {
  check: "etcd /readyz",
  ask: (calls, endpoint, limits) => calls.readyz(endpoint, limits),
};
const health: Question = {
  check: "etcd /health",
  ask: (calls, endpoint, limits) => calls.health(endpoint, limits),
};

/** Those whose answer includes a read on which the cluster agrees, the deepest first. */
export const deepQuestions: readonly Question[] = [readyz, health];

/** A path of the user's choice. */
export function questionAt(path: string): Question {
  return { check: `etcd ${path}`, ask: (calls, endpoint, limits) => calls.healthAt(path, endpoint, limits) };
}

/**
 * What to ask a member instead of its status, where that is not served: the deepest question that it answers without its
 * cluster. That is less than the status shows: not whether it knows a leader.
 *
 * @param question the one of {@link deepQuestions} that it answers
 * @param hasReason see {@link HealthReply}
 */
export function localQuestion(question: Question, hasReason: boolean): Question {
  if (question === readyz) return localReadyz;
  return hasReason ? localHealth : version;
}

const localReadyz: Question = {
  check: "etcd /readyz without linearizable_read",
  ask: (calls, endpoint, limits) => calls.localReadyz(endpoint, limits),
};
const localHealth: Question = {
  check: "etcd /health?serializable=true",
  ask: (calls, endpoint, limits) => calls.localHealth(endpoint, limits),
};
/** The port of etcd's `--listen-metrics-urls` has no /version, and says so: that, too, shows that the process answers. */
const version: Question = {
  check: "etcd /version",
  async ask(calls, endpoint, limits) {
    const { version, ...reply } = await calls.version(endpoint, limits);
    const isEtcd = version !== undefined || reply.httpStatus === 404;
    return { ...reply, report: isEtcd ? {} : undefined, hasReason: false };
  },
};
