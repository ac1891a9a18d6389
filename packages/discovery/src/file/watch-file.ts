import { type Clock, type Endpoint, GatewayError, sleep, type WatchOptions } from "@gw/interface";
import { type Reading, type RefreshOptions, refreshing } from "../refreshing.js";
import { triggered } from "../triggered.js";
import { type Changes, createChanges } from "./changes.js";
import { parseContent } from "./content.js";
import { readBytes, shown, textOf } from "./read.js";
import { type Content, createRemovals, type Removals } from "./removals.js";

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
  const { onRefresh, trigger } = triggered(listener => {
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
