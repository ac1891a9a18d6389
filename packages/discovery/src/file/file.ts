import { type Discovery, GatewayError, systemClock } from "@gw/interface";
import { type RefreshOptions, refreshBounds } from "../refresh.js";

/**
 * Options of {@link file}. `maxRefreshMs` is at most {@link fileDefaults}`.maxRefreshMs`, since to look at a file
 * costs nothing; a change that the file system tells of is seen at once, whatever they say.
 */
export interface FileOptions extends Omit<RefreshOptions, "emptyAfterMs"> {
  /**
   * For how long a file must stay as it is, in milliseconds, until what is new in it is believed: it may be
   * half written. @default 100
   */
  readonly settleMs?: number | undefined;
  /**
   * For how long an endpoint must be missing from a file that stays as it is, in milliseconds, until it is removed: what
   * is half written may be a list as well, only a shorter one. Endpoints that are new are used at once, and a request to
   * refresh removes at once. @default 2000
   */
  readonly removalSettleMs?: number | undefined;
}

/** What holds where {@link FileOptions} are silent. */
export const fileDefaults = { maxRefreshMs: 5_000, settleMs: 100, removalSettleMs: 2_000 } as const;

/**
 * The endpoints that a file lists, JSON or YAML: a list, or an object whose `endpoints` is one. Each item is
 * text, as {@link parseEndpoint} reads it, or `{ endpoint, priority?, weight? }`. The JSON Schema is
 * `@gw/discovery/endpoints.schema.json`.
 *
 * A set grows at once and shrinks only when it has held for a moment (`removalSettleMs`).
 *
 * The file is watched: it may be written anew, replaced, or be a symbolic link that is changed, as in a
 * Kubernetes ConfigMap. Where the file system tells of no changes, they are seen within seconds. While the file
 * is missing, or anything in it is wrong, the last good set holds, and the observer is told what is wrong
 * where. At the start that is an error which ends the iteration: `invalid-option` where the file cannot be
 * read, `invalid-endpoint` where its content is wrong. A list without endpoints is wrong.
 *
 * @param path relative to the working folder at the time of each look
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
      // Readers of YAML and JSON are large, and needed by those only who have a file.
      const { watchFile } = await import("./watch-file.js");
      yield* watchFile(path, settling, refresh, request);
    },
  };
}
