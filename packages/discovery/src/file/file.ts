import { type Discovery, GatewayError, systemClock } from "@gw/interface";
import { type RefreshOptions, refreshBounds } from "../refresh.js";

/**
 * Options of {@link file}. `maxRefreshMs` is at most {@link fileDefaults}`.maxRefreshMs`, since to read a file is
 * cheap; a change that the file system reports is read at once.
 */
export interface FileOptions extends Omit<RefreshOptions, "emptyAfterMs"> {
  /**
   * How long a changed file must stay the same before it is used, in milliseconds: it may be half written. @default 100
   */
  readonly settleMs?: number | undefined;
  /**
   * How long an endpoint must be missing from a file that stays the same before it is removed, in milliseconds: a
   * half-written list may be a valid, shorter list. New endpoints are used at once, and a refresh on request removes at
   * once. @default 2000
   */
  readonly removalSettleMs?: number | undefined;
}

/** Defaults of {@link FileOptions}. */
export const fileDefaults = { maxRefreshMs: 5_000, settleMs: 100, removalSettleMs: 2_000 } as const;

/**
 * The endpoints that a file lists, JSON or YAML: a list, or an object whose `endpoints` is one. Each item is
 * text, as {@link parseEndpoint} reads it, or `{ endpoint, priority?, weight? }`. The JSON Schema is
 * `@gw/discovery/endpoints.schema.json`.
 *
 * Endpoints are added at once, and removed only after `removalSettleMs`.
 *
 * The file is watched: it may be written again, replaced, or be a symbolic link that is changed, as in a Kubernetes
 * ConfigMap. Where the file system reports no changes, they are found within seconds. While the file is missing or has
 * an error, the last good set stays, and the observer is notified of the error and its position. At the start, the error
 * ends the iteration: `invalid-option` if the file cannot be read, `invalid-endpoint` if its content is invalid. A list
 * without endpoints is invalid.
 *
 * @param path relative to the working folder at the time of each read
 * @throws {GatewayError} `invalid-option` if the options contradict each other
 */
export function file(path: string, options: FileOptions = {}): Discovery {
  const { settleMs = fileDefaults.settleMs, removalSettleMs = fileDefaults.removalSettleMs } = options;
  for (const [name, ms] of Object.entries({ settleMs, removalSettleMs }))
    if (!(ms >= 0)) throw new GatewayError("invalid-option", `${name} ${ms} is not 0 or more`);
  const settling = { settleMs, removalSettleMs, clock: options.clock ?? systemClock };
  const { minRefreshMs, maxRefreshMs } = refreshBounds(options);
  const longest = Math.max(minRefreshMs, Math.min(maxRefreshMs, fileDefaults.maxRefreshMs));
  const refresh = { ...options, minRefreshMs, maxRefreshMs: longest, emptyAfterMs: undefined };
  return {
    async *watch(request) {
      // The parsers of YAML and JSON are large, and loaded only if there is a file.
      const { watchFile } = await import("./watch-file.js");
      yield* watchFile(path, settling, refresh, request);
    },
  };
}
