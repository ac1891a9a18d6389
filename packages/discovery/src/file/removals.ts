import { type Clock, type Endpoint, formatAddress } from "@gw/interface";
import { without } from "../sets.js";

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
