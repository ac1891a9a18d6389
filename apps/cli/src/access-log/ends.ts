import {
  endCauseOf,
  type GatewayError,
  type Observer,
  type RelayEnd,
  type UnservedClient,
} from "@gw/interface";

/**
 * How a connection ended, in one word of the access log. These words are public; docs/access-log.md has the same table,
 * which a test compares with this one.
 */
export const ends = [
  "finished",
  "client-reset",
  "client-lost",
  "endpoint-reset",
  "endpoint-lost",
  "idle-timeout",
  "half-close-timeout",
  "write-timeout",
  "removed",
  "rejected",
  "unhealthy",
  "too-old",
  "rebalanced",
  "loop",
  "killed",
  "shutdown",
  "local-error",
  "client-left",
  "no-endpoint",
  "dial-failed",
  "refused",
] as const;
export type End = (typeof ends)[number];

/** The event of {@link Observer.closed}. */
export type ClosedEvent = Parameters<NonNullable<Observer["closed"]>>[0];

/** How a connection that was relayed has ended. */
export function endOf({ reason, error }: Pick<ClosedEvent, "reason" | "error">): End {
  switch (reason) {
    case "finished":
      return "finished";
    case "client-failed":
      return wasReset(error) ? "client-reset" : "client-lost";
    case "backend-failed":
      return wasReset(error) ? "endpoint-reset" : "endpoint-lost";
    case "closed":
      return "client-left";
    case "timed-out":
      return endCauseOf(error) ?? "local-error";
    case "aborted":
      return error ? endOfAborted(error) : "shutdown";
  }
}

/** How a client that was not connected has ended. */
export function endOfUnserved({
  reason,
  error,
  tries,
}: Pick<UnservedClient, "reason" | "error" | "tries">): End {
  if (reason === "aborted")
    return error.code === "aborted" ? (endCauseOf(error) ?? "shutdown") : "local-error";
  if (hasLeft(reason)) return "client-left";
  if (error.code === "out-of-resources") return "local-error";
  return tries > 0 ? "dial-failed" : "no-endpoint";
}

/** Where the relay reports no error, the peer has closed the connection before it was over. */
function wasReset(error: GatewayError | undefined): boolean {
  return !error || error.code === "reset";
}

function endOfAborted(error: GatewayError): End {
  return endCauseOf(error) ?? (error.code === "self-loop" ? "loop" : "local-error");
}

function hasLeft(reason: RelayEnd["reason"] | undefined): boolean {
  return reason === "client-failed" || reason === "finished";
}
