import { GatewayError, notify } from "@gw/interface";
import type { PoolEntry } from "./entry.js";
import type { PoolSettings } from "./options.js";
import type { Tiers } from "./tiers.js";

export type Cause = "all-down" | "most-unhealthy" | "cluster";

/** Reports when a panic begins, ends, or changes its cause: when failures and verdicts are ignored. */
export class PanicReports {
  readonly #settings: Pick<PoolSettings, "observer" | "clock">;
  #cause: Cause | undefined;
  #since = 0;

  constructor(settings: Pick<PoolSettings, "observer" | "clock">) {
    this.#settings = settings;
  }

  /** Why failures or verdicts are ignored; undefined if they are not. */
  get cause(): Cause | undefined {
    return this.#cause;
  }

  /** Since when, on the clock; meaningless without a cause. */
  get since(): number {
    return this.#since;
  }

  /** Goes on with a state that was recorded. */
  restore(cause: Cause | undefined, since: number): void {
    this.#cause = cause;
    this.#since = since;
  }

  /** To be called after every failure, recovery and verdict, and after a change of the set. */
  assess(entries: readonly PoolEntry[], tiers: Tiers): void {
    const { observer, clock } = this.#settings;
    const before = this.#cause;
    this.#cause = causeOf(tiers);
    if (this.#cause === before) return;
    if (before === undefined) this.#since = clock.now();
    if (this.#cause === undefined) {
      notify(observer, "panicOver", { panicMs: clock.now() - this.#since });
      return;
    }
    const used = entries.filter(entry => tiers.isUsable(entry) && faultOf(entry));
    const error = faultOf(newest(used)) ?? new GatewayError("unknown", "nothing is known of it");
    const endpoints = used.map(({ endpoint }) => endpoint);
    notify(observer, "panic", { cause: this.#cause, endpoints, error });
  }
}

function causeOf(tiers: Tiers): Cause | undefined {
  // An entry is up in spite of a failed check only if no other is healthier.
  return tiers.panic ?? (tiers.allCheckedUnhealthy ? "cluster" : undefined);
}

function faultOf(entry: PoolEntry | undefined): GatewayError | undefined {
  return entry?.down?.error ?? entry?.verdict?.error;
}

/** The entry that went down last; the last of `entries` if none is down. */
function newest(entries: readonly PoolEntry[]): PoolEntry | undefined {
  const downSince = (entry: PoolEntry): number => entry.down?.since ?? 0;
  return entries.reduce<PoolEntry | undefined>(
    (last, entry) => (last === undefined || downSince(entry) >= downSince(last) ? entry : last),
    undefined,
  );
}
