import { type Clock, GatewayError, notify, type Observer } from "@gw/interface";
import type { PoolEntry } from "./entry.js";
import type { Tiers } from "./tiers.js";

/** Tells when a pool begins and ceases to ignore what was found out about its members. */
export class Panic {
  readonly #observer: Observer | undefined;
  readonly #clock: Clock;
  #cause: NonNullable<ReturnType<typeof causeOf>> | undefined;
  #since = 0;

  constructor(observer: Observer | undefined, clock: Clock) {
    this.#observer = observer;
    this.#clock = clock;
  }

  /** To be called whenever something was found out, or the members have changed. */
  assess(members: readonly PoolEntry[], tiers: Tiers): void {
    const before = this.#cause;
    this.#cause = causeOf(tiers);
    if (this.#cause === before) return;
    if (before === undefined) this.#since = this.#clock.now();
    if (this.#cause === undefined) {
      notify(this.#observer, "panicOver", { panicMs: this.#clock.now() - this.#since });
      return;
    }
    const used = members.filter(member => tiers.isUsable(member) && faultOf(member));
    const error = faultOf(newest(used)) ?? new GatewayError("unknown", "nothing is known of it");
    notify(this.#observer, "panic", {
      cause: this.#cause,
      endpoints: used.map(({ endpoint }) => endpoint),
      error,
    });
  }
}

function causeOf(tiers: Tiers): "all-down" | "most-unhealthy" | "cluster" | undefined {
  // A member is up in spite of a bad verdict only if none is healthier.
  return tiers.panic ?? (tiers.allJudgedUnhealthy ? "cluster" : undefined);
}

function faultOf(member: PoolEntry | undefined): GatewayError | undefined {
  return member?.aside?.error ?? member?.verdict?.error;
}

function newest(members: readonly PoolEntry[]): PoolEntry | undefined {
  const since = (member: PoolEntry | undefined): number => member?.aside?.since ?? 0;
  return members.reduce<PoolEntry | undefined>(
    (last, member) => (last === undefined || since(member) >= since(last) ? member : last),
    undefined,
  );
}
