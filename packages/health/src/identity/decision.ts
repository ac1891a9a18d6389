import {
  type Clock,
  type Endpoint,
  type ForeignEndpoint,
  formatAddress,
  type IdentityReason,
} from "@gw/interface";
import { identityDefaults } from "../defaults.js";
import { EndpointIdentity } from "./endpoint-identity.js";

/** The cluster whose members are used. */
export interface AcceptedCluster {
  /** In hexadecimal, as etcdctl prints it. */
  readonly clusterId: string;
  readonly reason: IdentityReason;
  /** Fewer than a majority of the set had told an id: a later majority decides again. */
  readonly isProvisional: boolean;
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
  /** Replaces the set. Of endpoints that are gone nothing is kept. @returns the new ones */
  update(endpoints: readonly Endpoint[]): readonly Endpoint[];
  /** An endpoint has told the id of its cluster. */
  told(endpoint: Endpoint, clusterId: string): void;
  /** It answers, and cannot tell. What it told before still counts. */
  unable(endpoint: Endpoint): void;
  /** It does not answer. What it told before still counts. */
  silent(endpoint: Endpoint): void;
  /** The first answers of these endpoints are no longer waited for. */
  giveUp(endpoints: readonly Endpoint[]): void;
  /** What is known of an endpoint; undefined if it is not in the set. */
  find(endpoint: Endpoint): Readonly<Pick<EndpointIdentity, "isUnable">> | undefined;
  /** Decides by what is known now. Takes time that grows with the set. */
  view(): IdentityView;
}

export function createIdentityDecision(options: IdentityDecisionOptions): IdentityDecision {
  return new Decision(options);
}

class Decision implements IdentityDecision {
  readonly #clock: Clock;
  readonly #holdMs: number;
  #known = new Map<string, EndpointIdentity>();
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

  update(endpoints: readonly Endpoint[]): readonly Endpoint[] {
    const before = this.#known;
    this.#known = new Map();
    const added: Endpoint[] = [];
    for (const endpoint of endpoints) {
      const address = formatAddress(endpoint);
      const known = before.get(address) ?? new EndpointIdentity(endpoint);
      known.endpoint = endpoint;
      if (!before.has(address)) added.push(endpoint);
      this.#known.set(address, known);
    }
    return added;
  }

  find(endpoint: Endpoint): EndpointIdentity | undefined {
    return this.#known.get(formatAddress(endpoint));
  }

  told(endpoint: Endpoint, clusterId: string): void {
    const known = this.find(endpoint);
    if (!known) return;
    if (this.#hold?.clusterId !== clusterId) this.#hold = undefined;
    const right = this.#accepted?.clusterId;
    const now = this.#clock.now();
    this.#answers += 1;
    known.told(clusterId, right, now, this.#answers);
    if (clusterId !== right) return;
    for (const other of this.#known.values()) if (other.isForeign(right)) other.memberAnswered(now);
  }

  unable(endpoint: Endpoint): void {
    this.find(endpoint)?.toldNothing("unable");
  }

  silent(endpoint: Endpoint): void {
    this.find(endpoint)?.toldNothing("silent");
  }

  giveUp(endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) this.find(endpoint)?.giveUp();
  }

  view(): IdentityView {
    const all = [...this.#known.values()];
    const isAwaiting = all.some(({ isAwaited }) => isAwaited);
    this.#decide(all, isAwaiting);
    if (this.#accepted && this.#accepted.reason !== "pinned") this.#considerRebuilt(all);

    const accepted = this.#accepted;
    const right = accepted?.clusterId;
    // A single endpoint cannot disagree with others.
    const isAlone = right === undefined && all.length === 1;
    // Those that have told their id wait for the decision, and it for those that have not.
    const isPending = (one: EndpointIdentity): boolean =>
      !isAlone && (one.isAwaited || (right === undefined && isAwaiting && one.clusterId !== undefined));
    const foreign = all.filter(one => right !== undefined && one.isForeign(right));
    const pending = all.filter(isPending);
    const withheld = new Set([...foreign, ...pending]);
    const usable = all.filter(one => !withheld.has(one));
    return {
      accepted,
      usable: usable.map(endpointOf),
      foreign: foreign.map(({ endpoint, foreignId = "", alternations }) => ({
        endpoint,
        clusterId: foreignId,
        alternations,
      })),
      pending: pending.map(endpointOf),
      members: usable.filter(({ clusterId }) => right !== undefined && clusterId === right).map(endpointOf),
      unable: all.filter(({ isUnable, clusterId }) => isUnable && clusterId === undefined).map(endpointOf),
      isReady: pending.length === 0 || usable.some(({ isTelling, isUnable }) => isTelling || isUnable),
      holdEndsAt: this.#hold && this.#hold.since + this.#holdMs,
    };
  }

  /** Decides for the first time, or again while the decision is provisional. */
  #decide(all: readonly EndpointIdentity[], isAwaiting: boolean): void {
    if (this.#accepted && !this.#accepted.isProvisional) return;
    const telling = all.filter(({ isTelling }) => isTelling);
    const tally = tallyOf(telling);
    const winner = moreThan(all.length / 2, tally);
    if (winner !== undefined) this.#accept(winner, "majority", false);
    else if (telling.length === 0) return;
    else if (this.#accepted) {
      if (telling.length === all.length) this.#accepted = { ...this.#accepted, isProvisional: false };
    } else if (!isAwaiting) {
      const majority = moreThan(telling.length / 2, tally);
      const first = telling.reduce((one, other) => (other.order < one.order ? other : one)).clusterId ?? "";
      const isProvisional = telling.length <= all.length / 2;
      this.#accept(majority ?? first, majority === undefined ? "first" : "majority", isProvisional);
    }
  }

  /** Accepts a new id that all endpoints that answer have told for longer than the hold. */
  #considerRebuilt(all: readonly EndpointIdentity[]): void {
    const right = this.#accepted?.clusterId;
    const telling = all.filter(({ isTelling }) => isTelling);
    const [clusterId, ...others] = tallyOf(telling).keys();
    // Another cluster that is there all the time must not replace one that fails.
    const isAnother = telling.some(({ coexists }) => coexists) && all.some(one => one.clusterId === right);
    if (clusterId === undefined || clusterId === right || others.length > 0 || isAnother) {
      this.#hold = undefined;
      return;
    }
    const hold = this.#hold?.clusterId === clusterId ? this.#hold : { clusterId, since: this.#clock.now() };
    this.#hold = hold;
    if (telling.some(({ toldAt }) => toldAt > hold.since + this.#holdMs))
      this.#accept(clusterId, "rebuilt", telling.length <= all.length / 2);
  }

  #accept(clusterId: string, reason: IdentityReason, isProvisional: boolean): void {
    const before = this.#accepted;
    const isSame = before?.clusterId === clusterId;
    this.#accepted = { clusterId, reason: isSame ? before.reason : reason, isProvisional };
    if (isSame) return;
    this.#hold = undefined;
    for (const one of this.#known.values()) one.judgeAnew(clusterId, this.#clock.now());
  }
}

function endpointOf({ endpoint }: EndpointIdentity): Endpoint {
  return endpoint;
}

function tallyOf(telling: readonly EndpointIdentity[]): ReadonlyMap<string, number> {
  const tally = new Map<string, number>();
  for (const { clusterId } of telling)
    if (clusterId !== undefined) tally.set(clusterId, (tally.get(clusterId) ?? 0) + 1);
  return tally;
}

/** The id that more than `limit` endpoints have told, which is at least half of them: there is one at most. */
function moreThan(limit: number, tally: ReadonlyMap<string, number>): string | undefined {
  for (const [clusterId, count] of tally) if (count > limit) return clusterId;
  return undefined;
}
