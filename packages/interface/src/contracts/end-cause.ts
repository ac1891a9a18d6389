import { GatewayError } from "../error.js";

/**
 * Why gw itself ended an open connection:
 *
 * - `idle-timeout`, `half-close-timeout`, `write-timeout`: that time-out passed
 * - `removed`: its endpoint is no longer in use
 * - `rejected`: its endpoint must not be used, because it belongs to another cluster for example
 * - `unhealthy`: its endpoint was marked down
 * - `too-old`: it reached the maximum age
 * - `rebalanced`: another endpoint is to carry it
 * - `killed`: the operator ended it
 */
export type EndCause = (typeof endCauses)[number];

const endCauses = [
  "idle-timeout",
  "half-close-timeout",
  "write-timeout",
  "removed",
  "rejected",
  "unhealthy",
  "too-old",
  "rebalanced",
  "killed",
] as const;

/** An error with the code and detail of `error`, for a connection that is ended because of it. */
export function withEndCause({ code, detail }: GatewayError, cause: EndCause): GatewayError {
  return new GatewayError(code, detail, { cause });
}

/** The cause that {@link withEndCause} gave to an error; undefined if it has none. */
export function endCauseOf(error: GatewayError | undefined): EndCause | undefined {
  return endCauses.find(cause => cause === error?.cause);
}
