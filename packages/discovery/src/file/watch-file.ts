import {
  type Clock,
  type Endpoint,
  formatAddress,
  GatewayError,
  sleep,
  type WatchOptions,
} from "@gw/interface";
import { without } from "../endpoint-sets.js";
import { type Reading, type RefreshOptions, refreshing, triggerable } from "../refresh.js";
import { type Changes, createChanges } from "./changes.js";
import { parseContent } from "./content.js";
import { readBytes, shown, textOf } from "./read.js";

/** When what a file says is believed; see the options of `file`. */
export interface Settling {
  readonly settleMs: number;
  readonly removalSettleMs: number;
  readonly clock: Clock;
}

/** The sets that the file lists, as `file` says. */
export async function* watchFile(
  path: string,
  settling: Settling,
  refresh: RefreshOptions,
  request: WatchOptions,
): AsyncGenerator<readonly Endpoint[], void, undefined> {
  const { onRefresh, trigger } = triggerable(listener => {
    const unsubscribe = request.onRefresh?.(() => {
      removals.hurry();
      listener();
    });
    return () => unsubscribe?.();
  });
  const removals = createRemovals(settling.removalSettleMs, settling.clock, trigger);
  const changes = createChanges(path, trigger);
  const look = reader(path, changes, removals, settling);
  try {
    yield* refreshing(`file ${shown(path)}`, look, refresh).watch({ ...request, onRefresh });
  } finally {
    changes.close();
    removals.close();
  }
}

/** Who changes a file without end is not waited for. */
const mostRounds = 20;

/** Reads the file until it is the same twice, unless it is as it was, or good when there is nothing to lose. */
function reader(
  path: string,
  changes: Changes,
  removals: Removals,
  { settleMs, clock }: Settling,
): (signal: AbortSignal) => Promise<Reading> {
  let good: Content | undefined;
  const settled = (content: Content): Reading => {
    good = content;
    return { endpoints: removals.settled(content), ttlMs: Number.POSITIVE_INFINITY };
  };
  return async signal => {
    await changes.watch();
    for (let last: Buffer | GatewayError | undefined, round = 1; ; round++) {
      const found = await readBytes(path).catch((error: GatewayError) => error);
      const final = (last && same(last, found)) || round === mostRounds || signal.aborted;
      try {
        if (found instanceof GatewayError) throw found;
        if (good?.bytes.equals(found)) return settled(good);
        if (final || !good)
          return settled({ bytes: found, endpoints: parseContent(textOf(found, path), shown(path)) });
      } catch (error) {
        if (final) throw error;
      }
      last = found;
      await sleep(settleMs, clock, signal);
    }
  };
}

function same(a: Buffer | GatewayError, b: Buffer | GatewayError): boolean {
  if (a instanceof GatewayError || b instanceof GatewayError)
    return a instanceof GatewayError && b instanceof GatewayError && a.detail === b.detail;
  return a.equals(b);
}

/** What a file lists. */
export interface Content {
  readonly bytes: Buffer;
  readonly endpoints: readonly Endpoint[];
}

/** Decides when endpoints that a file lists no more are removed. */
export interface Removals {
  /** The set to use, now that the file has this content: what it lists, and what is not removed yet. */
  settled(content: Content): readonly Endpoint[];
  /** What is missing from the file is removed with the next call of {@link settled}, however short it is missing. */
  hurry(): void;
  close(): void;
}

/**
 * A file that is being written may be a shorter list, valid in itself, for a moment. What it lacks is removed only when
 * its content has stayed the same for `removalSettleMs`; what is new is used at once, unless it may be cut off itself.
 *
 * @param onDue called when something is to be removed; then the file is to be read again
 */
export function createRemovals(removalSettleMs: number, clock: Clock, onDue: () => void): Removals {
  let used: readonly Endpoint[] = [];
  let pending: { readonly bytes: Buffer; readonly sinceMs: number } | undefined;
  let hurried = false;
  let cancel = (): void => {};
  return {
    settled({ bytes, endpoints }) {
      cancel();
      const missing = without(used, endpoints);
      if (pending && !pending.bytes.equals(bytes)) pending = undefined;
      pending ??= { bytes, sinceMs: clock.now() };
      const leftMs = pending.sinceMs + removalSettleMs - clock.now();
      if (missing.length === 0 || leftMs <= 0 || hurried) {
        pending = undefined;
        used = endpoints;
      } else {
        const last = endpoints.at(-1);
        const cut = last && mayBeCutOff(bytes) && without([last], used).length > 0 ? formatAddress(last) : "";
        used = [...endpoints.filter(endpoint => formatAddress(endpoint) !== cut), ...missing];
        cancel = clock.after(leftMs, onDue);
      }
      hurried = false;
      return used;
    },
    hurry() {
      hurried = true;
    },
    close: () => cancel(),
  };
}

/** Whether the last item of a list may go on: neither its line nor a bracket ends it. */
function mayBeCutOff(bytes: Buffer): boolean {
  return !/[\n\]}]\s*$/.test(bytes.toString("utf8"));
}
