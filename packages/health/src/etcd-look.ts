import {
  type Clock,
  type Endpoint,
  formatAddress,
  GatewayError,
  type GatewayErrorCode,
  type Verdict,
} from "@gw/interface";
import { type Ailment, type Finding, healthIn, readyzIn, type Status, statusIn } from "./etcd-answers.js";
import { ailmentIn, judge, unhealthy } from "./etcd-verdict.js";
import type { Answer, Question } from "./http-exchange.js";
import { doingOf } from "./probing.js";
import { remember } from "./remember.js";
import type { Asker } from "./scheme.js";
import { failed, wellByHandshake } from "./verdict.js";
import type { Where } from "./where.js";

/** What a look at an endpoint, as if it were etcd, found. */
export type EtcdLook =
  /** It speaks etcd, or what happened would keep anything from being spoken. */
  | { readonly verdict: Verdict }
  /** It does not speak etcd, and `stranger` says why not; `http` is whether it speaks HTTP at all. */
  | { readonly stranger: GatewayError; readonly http: boolean };

/** The status is asked again after this many looks: promotions and alarms are rare. */
const looksPerStatus = 12;
/** The part of the time that a read which the whole cluster has to agree on may take; the rest is to find out why. */
const patience = 0.75;

/** What is remembered of one endpoint. */
interface Memory {
  /** Whether it has ever answered as etcd does. */
  etcd: boolean;
  /** Which question it answers; undefined until it is known, and again after each new connection. */
  kind: Kind | undefined;
  status: Status | undefined;
  looksUntilStatus: number;
  /** Whether the last look found something wrong: then the status, which is quick, is asked first. */
  ill: boolean;
}

interface Kind {
  readonly level: string;
  readonly path: string;
  readonly read: (answer: Answer) => Finding | undefined;
}

const kinds: readonly Kind[] = [
  { level: "etcd /readyz", path: "/readyz?verbose", read: readyzIn },
  // The alarm NOSPACE leaves reads and deletions possible, and is on for all members.
  { level: "etcd /health", path: "/health?exclude=NOSPACE", read: healthIn },
];

/** Looks at endpoints as if they were etcd. Throws only when it is given up. */
export function createEtcdLook(settings: {
  readonly asker: Asker;
  readonly where: (endpoint: Endpoint) => Where;
  readonly timeoutMs: number;
  readonly clock: Clock;
}): (endpoint: Endpoint, signal: AbortSignal) => Promise<EtcdLook> {
  const { asker, where, timeoutMs, clock } = settings;
  const memories = remember<Memory>(clock, () => ({
    etcd: false,
    kind: undefined,
    status: undefined,
    looksUntilStatus: 0,
    ill: false,
  }));

  return async (endpoint, signal) => {
    const memory = memories.of(formatAddress(endpoint));
    const place = where(endpoint);
    const doing = doingOf(endpoint);
    const endAt = clock.now() + timeoutMs;
    const ask = (question: Question, share = 1): Promise<Answer> =>
      asker.ask(place.endpoint, question, { timeoutMs: Math.max(1, (endAt - clock.now()) * share), signal });
    const askStatus = async (share?: number): Promise<Status | undefined> => {
      memory.status = statusIn(await ask(statusQuestion, share));
      memory.looksUntilStatus = looksPerStatus;
      return memory.status;
    };
    const conclude = (verdict: Verdict): EtcdLook => {
      memory.ill = verdict.error !== undefined;
      return { verdict };
    };
    const level = (): string => memory.kind?.level ?? (memory.etcd ? "etcd" : "tcp");
    const isIll = (ailment: Ailment, says?: string): EtcdLook =>
      conclude(unhealthy(level(), ailment, doing, says));

    const stranger = (error: GatewayError, http: boolean): EtcdLook =>
      memory.etcd ? conclude(failed(level(), error)) : { stranger: error, http };

    try {
      if (memory.ill && memory.etcd && place.own) {
        const known = ailmentIn(await askStatus(patience));
        if (known) return isIll(known);
      }
      const found = await findOut(memory, place, question => ask(question, patience));
      if (!found)
        return stranger(new GatewayError("unhealthy", `${doing}: it does not answer as etcd does`), true);
      const due = memory.looksUntilStatus <= 0 || found.finding.ailment !== undefined;
      memory.looksUntilStatus -= 1;
      // It says more about what is known already, so that it may fail.
      const status = due && place.own ? await askStatus().catch(() => undefined) : memory.status;
      return conclude(judge(found.level, found.finding, status, doing));
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const error = GatewayError.from(thrown, doing);
      if (error.code === "certificate-refused") return { verdict: wellByHandshake(error) };
      if (strange.has(error.code)) return stranger(error, false);
      if (error.code !== "timed-out") return conclude(failed(level(), error));
      // Does it answer at all? A member without a quorum does, and only a read of the whole cluster hangs.
      const late = await askStatus().then(
        status => ailmentIn(status) ?? (status || memory.etcd ? "no-consensus" : undefined),
        () => undefined,
      );
      if (signal.aborted) throw thrown;
      if (late) return isIll(late, `no answer within ${Math.round(timeoutMs * patience)} ms`);
      return stranger(new GatewayError("timed-out", `${doing}: no answer within ${timeoutMs} ms`), false);
    }
  };
}

/** What it says of its health, by the deepest question that it knows; undefined if it knows none. */
async function findOut(
  memory: Memory,
  { path }: Where,
  ask: (question: Question) => Promise<Answer>,
): Promise<{ readonly level: string; readonly finding: Finding } | undefined> {
  for (const kind of path === undefined ? kinds : [kindOf(path)]) {
    if (memory.kind && memory.kind.path !== kind.path) continue;
    const answer = await ask({ path: kind.path });
    const finding = kind.read(answer);
    // A new connection may lead to a new version, which knows another question, or to another member.
    memory.kind = undefined;
    if (answer.fresh) memory.looksUntilStatus = 0;
    if (!finding) continue;
    memory.etcd = true;
    if (!answer.fresh || kind === kinds[0]) memory.kind = kind;
    return { level: kind.level, finding };
  }
  return undefined;
}

/** A path of the user's own choice: the answer tells which it is. */
function kindOf(path: string): Kind {
  const read = (answer: Answer): Finding | undefined => readyzIn(answer) ?? healthIn(answer);
  const brief = /^\/(?:readyz|livez)(?=\?|$)(?!.*\bverbose\b)/.test(path);
  return {
    level: `etcd ${path}`,
    path: brief ? `${path}${path.includes("?") ? "&" : "?"}verbose` : path,
    read,
  };
}

const statusQuestion: Question = { path: "/v3/maintenance/status", body: "{}" };

/** What a server that speaks something else than HTTP does when it is asked in HTTP. */
const strange: ReadonlySet<GatewayErrorCode> = new Set(["unhealthy", "reset"]);
