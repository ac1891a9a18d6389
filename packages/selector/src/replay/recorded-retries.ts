import { type Clock, type Endpoint, formatAddress, GatewayError, type Verdict } from "@gw/interface";
import type { PoolInput, RecordItem } from "./record.js";
import { errorOf, verdictOf } from "./snapshot.js";

type Retried = Extract<PoolInput, { readonly do: "retried" }> & { readonly atMs: number };

interface Pending {
  readonly dueMs: number;
  resolve(verdict: Verdict | undefined): void;
  reject(error: GatewayError): void;
}

/**
 * The results of retries in a replay. A retry that is due when a recorded one was has its result, at its time. Another
 * one, which there is only with other options, has the result of the recorded one that is nearest in time: what the
 * endpoint did in between is not recorded.
 */
export class RecordedRetries {
  readonly #clock: Clock;
  readonly #isSame: boolean;
  readonly #recorded = new Map<string, Retried[]>();
  readonly #pending = new Map<string, Pending>();
  /** How many were begun. */
  made = 0;

  /** @param isSame whether the options are those of the record */
  constructor(items: readonly RecordItem[], clock: Clock, isSame: boolean) {
    this.#clock = clock;
    this.#isSame = isSame;
    for (const item of items) {
      if (item.do !== "retried") continue;
      const those = this.#recorded.get(item.endpoint);
      if (those) those.push(item);
      else this.#recorded.set(item.endpoint, [item]);
    }
  }

  /** A retry that was due at `dueMs` begins. */
  begin(endpoint: Endpoint, dueMs: number | undefined, signal: AbortSignal): Promise<Verdict | undefined> {
    const name = formatAddress(endpoint);
    this.made += 1;
    return new Promise((resolve, reject) => {
      const pending = { dueMs: dueMs ?? this.#clock.now(), resolve, reject };
      this.#pending.set(name, pending);
      signal.addEventListener("abort", () => reject(new GatewayError("aborted", "the retry was cancelled")), {
        once: true,
      });
      const those = this.#recorded.get(name) ?? [];
      if (this.#isSame || those.some(retried => retried.dueMs === pending.dueMs)) return;
      const result = nearest(those, this.#clock.now());
      if (!result) return;
      this.#clock.after(Math.max(0, result.atMs - result.dueMs), () => settle(pending, result));
    });
  }

  /** A recorded retry is over. */
  end(name: string, dueMs: number, error: GatewayError | undefined, verdict: Verdict | undefined): void {
    const pending = this.#pending.get(name);
    if (pending?.dueMs !== dueMs) return;
    if (error) pending.reject(error);
    else pending.resolve(verdict);
  }
}

function settle(pending: Pending, { error, verdict }: Retried): void {
  if (error) pending.reject(errorOf(error));
  else pending.resolve(verdict && verdictOf(verdict));
}

function nearest(those: readonly Retried[], nowMs: number): Retried | undefined {
  const distance = ({ dueMs }: Retried): number => Math.abs(dueMs - nowMs);
  return those.reduce<Retried | undefined>(
    (best, one) => (best === undefined || distance(one) < distance(best) ? one : best),
    undefined,
  );
}
