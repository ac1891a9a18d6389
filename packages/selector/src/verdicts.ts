import type { GatewayError, Verdict } from "@gw/interface";

/**
 * Whether a verdict is a reason to leave an endpoint. What other members are likely to have as well is one only if
 * another is known to be well.
 */
export function isConclusive({ error, scope }: Verdict, elsewhere: boolean): boolean {
  return error !== undefined && (scope === "endpoint" || elsewhere);
}

/** Whether connections are accepted in spite of `error`, so that a dial cannot tell when it is over. */
export function isDeep({ code }: GatewayError, verdict?: Verdict): boolean {
  if (code === "refused" || code === "unreachable") return false;
  return !(code === "timed-out" && verdict?.check === "tcp");
}
