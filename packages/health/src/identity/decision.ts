import { type Clock, type Endpoint, formatAddress } from "@gw/interface";
import { identityDefaults, identityWaitMs } from "../defaults.js";

/**
 * Why a cluster is the accepted one:
 *
 * - `pinned`: it was given
 * - `remembered`: an earlier run had accepted it
 * - `majority`: more endpoints told its id than others
 * - `first`: endpoints disagree, none has a majority, and one of its members answered first
 * - `rebuilt`: all endpoints that answer have told this new id for a while
 */
export type IdentityReason = "pinned" | "remembered" | "majority" | "first" | "rebuilt";

/** The cluster whose members are used. */
export interface AcceptedCluster {
  /** In hexadecimal, as etcdctl prints it. */
  readonly clusterId: string;
  readonly reason: IdentityReason;
  /** Fewer than a majority of the set had told an id: a later majority decides again. */
  readonly isProvisional: boolean;
}

/** An endpoint that must not be used. */
export interface ForeignEndpoint {
  readonly endpoint: Endpoint;
  /** The other cluster's. */
  readonly clusterId: string;
  /** How often it has told the accepted id before another one: more than once hints at a proxy in front of two clusters. */
  readonly alternations: number;
}

/** What is known now. */
export interface IdentityView {
  readonly accepted: AcceptedCluster | undefined;
  /** May be used, in the order of the set: members of the accepted cluster, and those of which nothing is known. */
  readonly usable: readonly Endpoint[];
  readonly foreign: readonly ForeignEndpoint[];
  /** Are to be waited for. */
  readonly pending: readonly Endpoint[];
  /** Those of the usable that have told the accepted id. */
  readonly members: readonly Endpoint[];
  /** Answer and cannot tell. */
  readonly unable: readonly Endpoint[];
  /** Whether one of the usable endpoints has answered, or none is to be waited for. */
  readonly isReady: boolean;
  /** When to look again although nothing is reported, on the clock; Infinity if that is not necessary. */
  readonly nextAt: number;
  /** When the new id that all tell is accepted, if an endpoint confirms it then; undefined if there is none. */
  readonly holdEndsAt: number | undefined;
}

/** Options of {@link createIdentityDecision}. */
export interface IdentityDecisionOptions {
  /** The only id that is accepted. In lower case without leading zeros, as all ids. @default none */
  readonly pinned?: string | undefined;
  /** The id that an earlier run accepted. @default none */
  readonly remembered?: string | undefined;
  /** For how long all must have told the same new id, in milliseconds. @default 30000 */
  readonly holdMs?: number | undefined;
  readonly clock: Clock;
}

/** Decides which cluster is the right one, and which endpoints belong to another. It makes no calls and sets no timers. */
export interface IdentityDecision {
  /** Replaces the set. Of endpoints that are gone nothing is kept. */
  update(endpoints: readonly Endpoint[]): void;
  /** An endpoint has told the id of its cluster. */
  told(endpoint: Endpoint, clusterId: string): void;
  /** It answers, and cannot tell. What it told before still counts. */
  unable(endpoint: Endpoint): void;
  /** It does not answer. What it told before still counts. */
  silent(endpoint: Endpoint): void;
  /** Whether its newest answer was that it cannot tell. */
  isUnable(endpoint: Endpoint): boolean;
  /** Decides by what is known now. Takes time that grows with the set. */
  view(): IdentityView;
}

/** Members of two clusters that answer this much apart exist at the same time, in milliseconds. */
const coexistMs = 1_000;
/** An endpoint that has alternated must tell the accepted id up to so often, one after the other, until it is used. */
const maxConfirmations = 16;
/** Alternations longer ago than this do not count, in milliseconds. */
const alternationMs = 600_000;

/** What one endpoint has reported. */
interface Report {
  endpoint: Endpoint;
  readonly since: number;
  /** Of the newest report; `none` before the first. */
  answer: "none" | "told" | "unable" | "silent";
  /** The newest that it told. */
  clusterId: string | undefined;
  toldAt: number;
  /** Orders endpoints by their first answer with an id. */
  order: number;
  /** The newest foreign id, and since when it tells it. */
  foreignId: string | undefined;
  foreignSince: number;
  /** A member of the accepted cluster answered while this endpoint told its foreign id. */
  coexists: boolean;
  alternations: number;
  alternatedAt: number;
  /** How often it must tell the accepted id until it is used. */
  confirmations: number;
}

export function createIdentityDecision(options: IdentityDecisionOptions): IdentityDecision {
  return new Decision(options);
}

class Decision implements IdentityDecision {
  readonly #clock: Clock;
  readonly #holdMs: number;
  #reports = new Map<string, Report>();
  #accepted: AcceptedCluster | undefined;
  /** The new id that all tell, and since when. */
  #hold: { readonly clusterId: string; readonly since: number } | undefined;
  #answers = 0;

  constructor({ pinned, remembered, holdMs = identityDefaults.holdMs, clock }: IdentityDecisionOptions) {
    this.#clock = clock;
    this.#holdMs = holdMs;
    const clusterId = pinned ?? remembered;
    const reason = pinned === undefined ? "remembered" : "pinned";
    if (clusterId !== undefined) this.#accepted = { clusterId, reason, isProvisional: false };
  }

  update(endpoints: readonly Endpoint[]): void {
    const before = this.#reports;
    this.#reports = new Map();
    for (const endpoint of endpoints) {
      const address = formatAddress(endpoint);
      const report = before.get(address) ?? newReport(endpoint, this.#clock.now());
      report.endpoint = endpoint;
      this.#reports.set(address, report);
    }
  }

  told(endpoint: Endpoint, clusterId: string): void {
    const report = this.#reports.get(formatAddress(endpoint));
    if (!report) return;
    const now = this.#clock.now();
    if (this.#hold?.clusterId !== clusterId) this.#hold = undefined;
    const before = report.clusterId;
    if (before === undefined) report.order = this.#answers++;
    Object.assign(report, { answer: "told", clusterId, toldAt: now });
    const right = this.#accepted?.clusterId;
    if (right === undefined) return;
    if (clusterId === right) {
      report.confirmations = Math.max(0, report.confirmations - 1);
      for (const other of this.#reports.values())
        if (isForeign(other, right) && now - other.foreignSince >= coexistMs) other.coexists = true;
      return;
    }
    if (before === right) {
      report.alternations = now - report.alternatedAt > alternationMs ? 1 : report.alternations + 1;
      report.alternatedAt = now;
    }
    report.confirmations = Math.min(maxConfirmations, 2 ** Math.max(0, report.alternations - 1));
    if (clusterId !== report.foreignId)
      Object.assign(report, { foreignId: clusterId, foreignSince: now, coexists: false });
  }

  unable(endpoint: Endpoint): void {
    this.#answered(endpoint, "unable");
  }

  silent(endpoint: Endpoint): void {
    this.#answered(endpoint, "silent");
  }

  isUnable(endpoint: Endpoint): boolean {
    return this.#reports.get(formatAddress(endpoint))?.answer === "unable";
  }

  view(): IdentityView {
    const now = this.#clock.now();
    const reports = [...this.#reports.values()];
    const waiting = reports.filter(report => isWaiting(report, now));
    this.#decide(reports, waiting.length > 0);
    if (this.#accepted && this.#accepted.reason !== "pinned") this.#considerRebuilt(reports, now);

    const accepted = this.#accepted;
    const right = accepted?.clusterId;
    const isUndecided = right === undefined;
    // A single endpoint cannot disagree with others.
    const isAlone = isUndecided && reports.length === 1;
    const foreign = reports.filter(report => !isUndecided && isForeign(report, right));
    const pending = reports.filter(
      report =>
        !isAlone &&
        (isWaiting(report, now) || (isUndecided && waiting.length > 0 && report.clusterId !== undefined)),
    );
    const withheld = new Set([...foreign, ...pending]);
    const usable = reports.filter(report => !withheld.has(report));
    const members = usable.filter(({ clusterId }) => !isUndecided && clusterId === right);
    const isAnswering = usable.some(({ answer }) => answer === "told" || answer === "unable");
    return {
      accepted,
      usable: usable.map(endpointOf),
      foreign: foreign.map(({ endpoint, foreignId = "", alternations }) => ({
        endpoint,
        clusterId: foreignId,
        alternations,
      })),
      pending: pending.map(endpointOf),
      members: members.map(endpointOf),
      unable: reports
        .filter(({ answer, clusterId }) => answer === "unable" && clusterId === undefined)
        .map(endpointOf),
      isReady: isAnswering || pending.length === 0,
      nextAt: Math.min(Infinity, ...waiting.map(({ since }) => since + identityWaitMs)),
      holdEndsAt: this.#hold && this.#hold.since + this.#holdMs,
    };
  }

  #answered(endpoint: Endpoint, answer: "unable" | "silent"): void {
    const report = this.#reports.get(formatAddress(endpoint));
    if (report) report.answer = answer;
  }

  /** Decides for the first time, or again while the decision is provisional. */
  #decide(reports: readonly Report[], isWaiting: boolean): void {
    if (this.#accepted && !this.#accepted.isProvisional) return;
    const told = reports.filter(({ answer }) => answer === "told");
    const tally = tallyOf(told);
    const winner = moreThan(reports.length / 2, tally);
    if (winner !== undefined) this.#accept(winner, "majority", false);
    else if (this.#accepted) {
      if (told.length > 0 && told.length === reports.length)
        this.#accepted = { ...this.#accepted, isProvisional: false };
    } else if (told.length > 0 && !isWaiting) {
      const majority = moreThan(told.length / 2, tally);
      const first = told.reduce((one, other) => (other.order < one.order ? other : one)).clusterId ?? "";
      const isProvisional = told.length <= reports.length / 2;
      this.#accept(majority ?? first, majority === undefined ? "first" : "majority", isProvisional);
    }
  }

  /** Accepts a new id that all endpoints that answer have told for longer than the hold. */
  #considerRebuilt(reports: readonly Report[], now: number): void {
    const right = this.#accepted?.clusterId;
    const telling = reports.filter(({ answer }) => answer === "told");
    const [clusterId, ...others] = tallyOf(telling).keys();
    // Another cluster that is there all the time must not replace one that fails.
    const isAnother =
      telling.some(({ coexists }) => coexists) && reports.some(report => report.clusterId === right);
    if (clusterId === undefined || clusterId === right || others.length > 0 || isAnother) {
      this.#hold = undefined;
      return;
    }
    const hold = this.#hold?.clusterId === clusterId ? this.#hold : { clusterId, since: now };
    this.#hold = hold;
    if (telling.some(({ toldAt }) => toldAt > hold.since + this.#holdMs))
      this.#accept(clusterId, "rebuilt", telling.length <= reports.length / 2);
  }

  #accept(clusterId: string, reason: IdentityReason, isProvisional: boolean): void {
    const isSame = this.#accepted?.clusterId === clusterId;
    this.#accepted = {
      clusterId,
      reason: isSame && this.#accepted ? this.#accepted.reason : reason,
      isProvisional,
    };
    if (isSame) return;
    this.#hold = undefined;
    const now = this.#clock.now();
    for (const report of this.#reports.values()) {
      const isOther = report.clusterId !== undefined && report.clusterId !== clusterId;
      Object.assign(report, {
        foreignId: isOther ? report.clusterId : undefined,
        foreignSince: now,
        coexists: false,
        alternations: 0,
        confirmations: 0,
      });
    }
  }
}

function newReport(endpoint: Endpoint, now: number): Report {
  return {
    endpoint,
    since: now,
    answer: "none",
    clusterId: undefined,
    toldAt: -Infinity,
    order: 0,
    foreignId: undefined,
    foreignSince: 0,
    coexists: false,
    alternations: 0,
    alternatedAt: -Infinity,
    confirmations: 0,
  };
}

function endpointOf({ endpoint }: Report): Endpoint {
  return endpoint;
}

/** Whether its first answer is still to be waited for. */
function isWaiting({ answer, since }: Report, now: number): boolean {
  return answer === "none" && now < since + identityWaitMs;
}

/** Whether it belongs to another cluster than `right`, as far as is known. */
function isForeign({ clusterId, confirmations }: Report, right: string): boolean {
  return clusterId !== undefined && (clusterId !== right || confirmations > 0);
}

function tallyOf(reports: readonly Report[]): ReadonlyMap<string, number> {
  const tally = new Map<string, number>();
  for (const { clusterId } of reports)
    if (clusterId !== undefined) tally.set(clusterId, (tally.get(clusterId) ?? 0) + 1);
  return tally;
}

/** The id that more than `limit` endpoints have told, which is at least half of them: there is one at most. */
function moreThan(limit: number, tally: ReadonlyMap<string, number>): string | undefined {
  for (const [clusterId, count] of tally) if (count > limit) return clusterId;
  return undefined;
}
