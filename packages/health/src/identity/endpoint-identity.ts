import type { Endpoint } from "@gw/interface";

/** Members of two clusters that answer this much apart exist at the same time, in milliseconds. */
const coexistMs = 1_000;
/** An endpoint that has alternated must tell the accepted id up to so often, one after the other, until it is used. */
const maxConfirmations = 16;
/** Alternations longer ago than this do not count, in milliseconds. */
const alternationMs = 600_000;

/** What one endpoint has said of its cluster. */
export class EndpointIdentity {
  endpoint: Endpoint;
  /** Of the newest question; `none` before the first. */
  #answer: "none" | "told" | "unable" | "silent" = "none";
  #isGivenUp = false;
  #clusterId: string | undefined;
  #toldAt = -Infinity;
  #order = 0;
  /** The newest id that was not the accepted one, and since when the endpoint tells it. */
  #foreignId: string | undefined;
  #foreignSince = 0;
  #coexists = false;
  #alternations = 0;
  #alternatedAt = -Infinity;
  /** How often it must tell the accepted id until it is used. */
  #confirmations = 0;

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
  }

  /** The newest id that it told, even if it tells none any more. */
  get clusterId(): string | undefined {
    return this.#clusterId;
  }

  /** When it told that id; -Infinity if it never did. */
  get toldAt(): number {
    return this.#toldAt;
  }

  /** Orders endpoints by their first answer with an id. */
  get order(): number {
    return this.#order;
  }

  /** The id of the other cluster that it belongs to, or belonged to. */
  get foreignId(): string | undefined {
    return this.#foreignId;
  }

  /** Whether a member of the accepted cluster answered while this endpoint told its foreign id. */
  get coexists(): boolean {
    return this.#coexists;
  }

  /** How often it has told the accepted id before another one. */
  get alternations(): number {
    return this.#alternations;
  }

  /** Whether its first answer is still to be waited for. */
  get isAwaited(): boolean {
    return this.#answer === "none" && !this.#isGivenUp;
  }

  /** Whether its newest answer was an id. */
  get isTelling(): boolean {
    return this.#answer === "told";
  }

  /** Whether its newest answer was that it cannot tell. */
  get isUnable(): boolean {
    return this.#answer === "unable";
  }

  /** Whether it belongs to another cluster than `accepted`, as far as is known. */
  isForeign(accepted: string): boolean {
    return this.#clusterId !== undefined && (this.#clusterId !== accepted || this.#confirmations > 0);
  }

  /** It has told `clusterId` while `accepted` was the accepted id. @param order larger than all before */
  told(clusterId: string, accepted: string | undefined, now: number, order: number): void {
    const before = this.#clusterId;
    if (before === undefined) this.#order = order;
    this.#answer = "told";
    this.#clusterId = clusterId;
    this.#toldAt = now;
    if (accepted === undefined) return;
    if (clusterId === accepted) {
      this.#confirmations = Math.max(0, this.#confirmations - 1);
      return;
    }
    if (before === accepted) {
      this.#alternations = now - this.#alternatedAt > alternationMs ? 1 : this.#alternations + 1;
      this.#alternatedAt = now;
    }
    this.#confirmations = Math.min(maxConfirmations, 2 ** Math.max(0, this.#alternations - 1));
    if (clusterId === this.#foreignId) return;
    this.#foreignId = clusterId;
    this.#foreignSince = now;
    this.#coexists = false;
  }

  /** It answers and cannot tell, or it does not answer. What it told before still counts. */
  toldNothing(answer: "unable" | "silent"): void {
    this.#answer = answer;
  }

  /** Its first answer is no longer waited for. */
  giveUp(): void {
    this.#isGivenUp = true;
  }

  /** A member of the accepted cluster answers, while this endpoint is foreign. */
  memberAnswered(now: number): void {
    if (now - this.#foreignSince >= coexistMs) this.#coexists = true;
  }

  /** Another id is the accepted one now. */
  judgeAnew(accepted: string, now: number): void {
    this.#foreignId = this.#clusterId === accepted ? undefined : this.#clusterId;
    this.#foreignSince = now;
    this.#coexists = false;
    this.#alternations = 0;
    this.#confirmations = 0;
  }
}
