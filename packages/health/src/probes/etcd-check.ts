import type { EtcdCalls, HealthReply, RequestLimits, Status } from "@gw/etcd-client";
import {
  type CheckDepth,
  type Clock,
  createExpiringMap,
  type Endpoint,
  type EndpointFacts,
  formatAddress,
  GatewayError,
  type GatewayErrorCode,
  type Verdict,
} from "@gw/interface";
import { deepQuestions, localQuestion, type Question, questionAt } from "./etcd-questions.js";
import { conditionOf, judge, judgeStatus, verdictOn } from "./etcd-verdict.js";
import { failed, healthyByHandshake, operationOf } from "./probe.js";
import { createRetryTimes, type RetryTimes } from "./retry-times.js";
import type { ProbeTarget } from "./target.js";

/** The result of checking an endpoint as if it were etcd. */
export type EtcdCheckResult =
  /** It speaks etcd, or the failure prevents it from speaking anything. */
  | { readonly verdict: Verdict }
  /** It does not speak etcd, for the reason `notEtcd`; `isHttp` is whether it speaks HTTP. */
  | { readonly notEtcd: GatewayError; readonly isHttp: boolean };

/** What is demanded of one check. */
interface EtcdCheckRequest {
  readonly depth: CheckDepth;
  readonly timeoutMs: number;
}

/** Checks one endpoint. Rejects only when it is aborted. */
export type EtcdCheck = (
  endpoint: Endpoint,
  signal: AbortSignal,
  request: EtcdCheckRequest,
) => Promise<EtcdCheckResult>;

/** A deep check asks for the status, too, if it is older than this, in milliseconds: promotions and alarms are rare. */
const statusAgeMs = 60_000;
/** The part of the time that a read which the whole cluster has to agree on may take; the rest is to find out why. */
const readShare = 0.75;
/** The name of a regular check in verdicts. */
const statusCheck = "etcd status";

/** What is known of one endpoint. Times are in milliseconds on the clock of the checks. */
interface Knowledge {
  /** Whether it has ever answered as etcd does. */
  isEtcd: boolean;
  /** The deep question that it answers; undefined until it is known, and again after each new connection. */
  question: Question | undefined;
  /** What to ask instead of its status, where that is not served. */
  local: Question | undefined;
  /** Why its status is not served, for a note. */
  refusal: string;
  status: Status | undefined;
  statusAt: number;
  /** Whether the last check found a fault: then the status, which is quick, is asked first. */
  isUnhealthy: boolean;
}

interface EtcdCheckContext {
  readonly calls: EtcdCalls;
  readonly targetOf: (endpoint: Endpoint) => ProbeTarget;
  readonly clock: Clock;
}

export function createEtcdCheck(context: EtcdCheckContext): EtcdCheck {
  const known = createExpiringMap<Knowledge>(context.clock, () => ({
    isEtcd: false,
    question: undefined,
    local: undefined,
    refusal: "",
    status: undefined,
    statusAt: -Infinity,
    isUnhealthy: false,
  }));
  const statusRetries = createRetryTimes(context.clock);
  return (endpoint, signal, request) => {
    const knowledge = known.get(formatAddress(endpoint));
    return new CheckOfOne(context, knowledge, statusRetries, { endpoint, signal, ...request }).run();
  };
}

/** One check of one endpoint. */
class CheckOfOne {
  readonly #calls: EtcdCalls;
  readonly #clock: Clock;
  readonly #knowledge: Knowledge;
  /** When to ask again for a status that is not served. */
  readonly #statusRetries: RetryTimes;
  readonly #request: EtcdCheckRequest & { readonly endpoint: Endpoint; readonly signal: AbortSignal };
  readonly #target: ProbeTarget;
  readonly #operation: string;
  readonly #name: string;
  readonly #startedAt: number;
  #facts: EndpointFacts | undefined;
  #hasAskedStatus = false;
  /** The check that a failure belongs to, if it is not the deep one. */
  #asked: string | undefined;

  constructor(
    { calls, clock, targetOf }: EtcdCheckContext,
    knowledge: Knowledge,
    statusRetries: RetryTimes,
    request: EtcdCheckRequest & { readonly endpoint: Endpoint; readonly signal: AbortSignal },
  ) {
    this.#calls = calls;
    this.#clock = clock;
    this.#knowledge = knowledge;
    this.#statusRetries = statusRetries;
    this.#request = request;
    this.#target = targetOf(request.endpoint);
    this.#operation = operationOf(request.endpoint);
    this.#name = formatAddress(request.endpoint);
    this.#startedAt = clock.now();
  }

  async run(): Promise<EtcdCheckResult> {
    const { depth, signal, timeoutMs } = this.#request;
    try {
      // A path of the user's choice is the check, at both depths.
      const isRegular = depth === "regular" && this.#target.path === undefined;
      return await (isRegular ? this.#checkStatus() : this.#checkAgreement());
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const error = GatewayError.from(thrown, this.#operation);
      if (error.code === "certificate-refused") return { verdict: healthyByHandshake(error) };
      if (notHttp.has(error.code)) return this.#notEtcd(error, false);
      if (error.code !== "timed-out") return this.#conclude(failed(this.#check, error));
      const late = new GatewayError("timed-out", `${this.#operation}: ${noAnswerWithin(timeoutMs)}`);
      return this.#notEtcd(late, false);
    }
  }

  /** The regular check: what the member knows itself. */
  async #checkStatus(): Promise<EtcdCheckResult> {
    if (!this.#statusRetries.isDue(this.#name)) return this.#checkWithoutStatus();
    this.#asked = statusCheck;
    let isLasting = true;
    try {
      const answer = await this.#askStatus();
      if (typeof answer !== "number") {
        this.#statusRetries.answered(this.#name);
        return this.#conclude(judgeStatus(statusCheck, answer, this.#operation));
      }
      isLasting = answer < 500;
      this.#knowledge.refusal = `HTTP ${answer}`;
    } catch (error) {
      // Some gateways of etcd end the connection where authentication refuses a request (etcd#20332).
      if (!(error instanceof GatewayError && notHttp.has(error.code))) throw error;
      this.#knowledge.refusal = "it ends the connection";
    }
    this.#asked = undefined;
    const result = await this.#checkWithoutStatus();
    if ("verdict" in result && this.#knowledge.isEtcd && isLasting) this.#statusRetries.refused(this.#name);
    return result;
  }

  /** The regular check of a member that does not serve its status; a deep one until it is known what else it answers. */
  async #checkWithoutStatus(): Promise<EtcdCheckResult> {
    const knowledge = this.#knowledge;
    const note = `its status is not served (${knowledge.refusal}): only deep checks show whether it has a leader`;
    // Less than what a deep check has found does not refute it.
    if (knowledge.local && !knowledge.isUnhealthy) {
      const { check } = knowledge.local;
      const reply = await this.#askLocal(knowledge.local);
      if (reply.report) {
        const verdict = judge(check, reply.report, undefined, this.#operation);
        return this.#conclude(verdict.error ? verdict : { ...verdict, note });
      }
    }
    const result = await this.#checkAgreement();
    if (!("verdict" in result) || result.verdict.error || !knowledge.local) return result;
    return { verdict: { ...result.verdict, check: knowledge.local.check, note } };
  }

  /** The deep check: whether the whole cluster agrees on a read. */
  async #checkAgreement(): Promise<EtcdCheckResult> {
    const knowledge = this.#knowledge;
    try {
      if (knowledge.isUnhealthy && knowledge.isEtcd && this.#mayAskStatus) {
        const answer = await this.#askStatus(readShare);
        const condition = typeof answer === "number" ? undefined : conditionOf(answer);
        if (condition) return this.#conclude(verdictOn(condition, this.#check, this.#operation));
      }
      const found = await this.#askHealth();
      if (!found) {
        const why = `${this.#operation}: it does not answer as etcd does`;
        return this.#notEtcd(new GatewayError("unhealthy", why), true);
      }
      const { check, report, isFresh } = found;
      const isOld = this.#clock.now() - knowledge.statusAt >= statusAgeMs;
      // The status only adds to what is known already, so it may fail.
      if ((isFresh || isOld || report.condition) && this.#mayAskStatus)
        await this.#askStatus().catch(() => {
          knowledge.status = undefined;
        });
      const verdict = judge(check, report, knowledge.status, this.#operation);
      return this.#conclude(verdict);
    } catch (thrown) {
      const isLate = thrown instanceof GatewayError && thrown.code === "timed-out";
      if (!isLate || this.#request.signal.aborted) throw thrown;
      // Does it answer at all? A member without a quorum does: only a read of the whole cluster hangs.
      const condition = await this.#conditionOfLate().catch(() => undefined);
      if (!condition || this.#request.signal.aborted) throw thrown;
      const reason = noAnswerWithin(Math.round(this.#request.timeoutMs * readShare));
      return this.#conclude(verdictOn(condition, this.#check, this.#operation, reason));
    }
  }

  /** What is wrong with a member that does not answer a deep question in time; undefined if it is not known to be etcd. */
  async #conditionOfLate(): Promise<ReturnType<typeof conditionOf>> {
    const { local } = this.#knowledge;
    if (local && !this.#statusRetries.isDue(this.#name))
      return (await local.ask(this.#calls, this.#target.endpoint, this.#limits())).report && "no-consensus";
    const answer = await this.#askStatus();
    if (typeof answer !== "number") return conditionOf(answer) ?? "no-consensus";
    return this.#knowledge.isEtcd ? "no-consensus" : undefined;
  }

  /** The member's own report, by the deepest question that it answers; undefined if it answers none as etcd does. */
  async #askHealth(): Promise<
    (HealthReply & { readonly report: object; readonly check: string }) | undefined
  > {
    const knowledge = this.#knowledge;
    const { path, endpoint } = this.#target;
    for (const question of path === undefined ? deepQuestions : [questionAt(path)]) {
      if (knowledge.question && knowledge.question.check !== question.check) continue;
      const reply = await question.ask(this.#calls, endpoint, this.#limits(readShare));
      // A new connection may lead to a new version, which answers another question, or to another member.
      knowledge.question = undefined;
      const { report, isFresh, hasReason } = reply;
      if (!report) continue;
      knowledge.isEtcd = true;
      if (!isFresh || question === deepQuestions[0]) knowledge.question = question;
      if (path === undefined) knowledge.local = localQuestion(question, hasReason);
      return { ...reply, report, check: question.check };
    }
    return undefined;
  }

  async #askLocal(local: Question): Promise<HealthReply> {
    this.#asked = local.check;
    const reply = await local.ask(this.#calls, this.#target.endpoint, this.#limits());
    this.#asked = undefined;
    this.#facts = { roundTripMs: reply.roundTripMs };
    if (!reply.report) this.#knowledge.local = undefined;
    return reply;
  }

  /** The status, or the HTTP status of a response that has none. */
  async #askStatus(share?: number): Promise<Status | number> {
    this.#hasAskedStatus = true;
    const { endpoint } = this.#target;
    const reply = await this.#calls.status(endpoint, this.#limits(share));
    const { status, identity, httpStatus, roundTripMs } = reply;
    Object.assign(this.#knowledge, { status, statusAt: this.#clock.now() });
    if (!status) return httpStatus;
    this.#knowledge.isEtcd = true;
    const { learner, dbSizeBytes: _, ...facts } = identity ?? {};
    this.#facts = { ...facts, ...(learner !== undefined && { isLearner: learner }), roundTripMs };
    return status;
  }

  /** Whether a deep check may ask for the status besides. */
  get #mayAskStatus(): boolean {
    return this.#target.isOwn && !this.#hasAskedStatus && this.#statusRetries.isDue(this.#name);
  }

  /** What verdicts of failures name. */
  get #check(): string {
    const { isEtcd, question } = this.#knowledge;
    return isEtcd ? (this.#asked ?? question?.check ?? "etcd") : "tcp";
  }

  /** For the next request: a share of the time that is left. */
  #limits(share = 1): RequestLimits {
    const { timeoutMs, signal } = this.#request;
    const leftMs = this.#startedAt + timeoutMs - this.#clock.now();
    return { timeoutMs: Math.max(1, leftMs * share), signal };
  }

  #conclude(verdict: Verdict): EtcdCheckResult {
    this.#knowledge.isUnhealthy = verdict.error !== undefined;
    // Another address than the one that serves clients may be that of another member.
    return { verdict: this.#facts && this.#target.isOwn ? { ...verdict, facts: this.#facts } : verdict };
  }

  #notEtcd(error: GatewayError, isHttp: boolean): EtcdCheckResult {
    return this.#knowledge.isEtcd ? this.#conclude(failed(this.#check, error)) : { notEtcd: error, isHttp };
  }
}

/** What a server that does not speak HTTP does with a request. */
const notHttp: ReadonlySet<GatewayErrorCode> = new Set(["unhealthy", "reset"]);

function noAnswerWithin(ms: number): string {
  return `no answer within ${ms} ms`;
}
