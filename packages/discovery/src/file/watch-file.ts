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

/** When a change is used; see the options of `file`. */
export interface Settling {
  readonly settleMs: number;
  readonly removalSettleMs: number;
  readonly clock: Clock;
}

/** Watches a file; see `file`. */
export async function* watchFile(
  path: string,
  settling: Settling,
  refresh: RefreshOptions,
  request: WatchOptions,
): AsyncGenerator<readonly Endpoint[], void, undefined> {
  const { onRefresh, trigger } = triggerable(listener => {
    const unsubscribe = request.onRefresh?.(() => {
      removals.expedite();
      listener();
    });
    return () => unsubscribe?.();
  });
  const removals = createRemovals(settling.removalSettleMs, settling.clock, trigger);
  const changes = createChanges(path, trigger);
  const read = createReader(path, changes, removals, settling);
  try {
    yield* refreshing(`file ${shown(path)}`, read, refresh).watch({ ...request, onRefresh });
  } finally {
    changes.close();
    removals.close();
  }
}

/** After so many consecutive changes, a file is used although it is still changing. */
const maxRounds = 20;

/** Reads the file until it is the same twice; not if it is unchanged, or if it is valid and the first content. */
function createReader(
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
      const final = (last && isSame(last, found)) || round === maxRounds || signal.aborted;
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

function isSame(a: Buffer | GatewayError, b: Buffer | GatewayError): boolean {
  if (a instanceof GatewayError || b instanceof GatewayError)
    return a instanceof GatewayError && b instanceof GatewayError && a.detail === b.detail;
  return a.equals(b);
}

/** The content of a file. */
interface Content {
  readonly bytes: Buffer;
  readonly endpoints: readonly Endpoint[];
}

/** Delays the removal of endpoints that are missing from the file. */
export interface Removals {
  /** The set to use with this content: its endpoints, and those that are not removed yet. */
  settled(content: Content): readonly Endpoint[];
  /** The next call of {@link settled} removes missing endpoints without delay. */
  expedite(): void;
  close(): void;
}

/**
 * While it is being written, a file may be a valid, shorter list for a moment. Missing endpoints are removed only when the
 * content has stayed the same for `removalSettleMs`; new endpoints are used at once, unless the last one may be truncated.
 *
 * @param onDue called when endpoints are due for removal; then the file must be read again
 */
export function createRemovals(removalSettleMs: number, clock: Clock, onDue: () => void): Removals {
  let used: readonly Endpoint[] = [];
  let pending: { readonly bytes: Buffer; readonly sinceMs: number } | undefined;
  let expedited = false;
  let cancel = (): void => {};
  return {
    settled({ bytes, endpoints }) {
      cancel();
      const missing = without(used, endpoints);
      if (pending && !pending.bytes.equals(bytes)) pending = undefined;
      pending ??= { bytes, sinceMs: clock.now() };
      const leftMs = pending.sinceMs + removalSettleMs - clock.now();
      if (missing.length === 0 || leftMs <= 0 || expedited) {
        pending = undefined;
        used = endpoints;
      } else {
        const last = endpoints.at(-1);
        const truncated =
          last && mayBeTruncated(bytes) && without([last], used).length > 0 ? formatAddress(last) : "";
        used = [...endpoints.filter(endpoint => formatAddress(endpoint) !== truncated), ...missing];
        cancel = clock.after(leftMs, onDue);
      }
      expedited = false;
      return used;
    },
    expedite() {
      expedited = true;
    },
    close: () => cancel(),
  };
}

/** Whether the last item of a list may be incomplete: no line break and no bracket follows it. */
function mayBeTruncated(bytes: Buffer): boolean {
  return !/[\n\]}]\s*$/.test(bytes.toString("utf8"));
}
