import type { GatewayError, GatewayErrorCode, Verdict } from "@gw/interface";

/** Nothing is wrong as far as a look at this check can tell. */
export function well(check: string, note?: string): Verdict {
  return { check, scope: "endpoint", ...(note !== undefined && { note }) };
}

/** Something is wrong, and others may have it as well if `scope` says so. */
export function ill(check: string, error: GatewayError, scope: Verdict["scope"]): Verdict {
  return { check, error, scope };
}

/** The look failed, and why says whose fault it may be. */
export function failed(check: string, error: GatewayError): Verdict {
  const verdict = ill(check, error, shared.has(error.code) ? "cluster" : "endpoint");
  // Each check that hangs up on a certificate leaves an error in the endpoint's log.
  return error.code === "untrusted" ? { ...verdict, uninformative: true } : verdict;
}

/**
 * The endpoint refuses this side's certificate, so that no deeper look is possible: it has answered, at least. Each look
 * leaves an error in its log.
 */
export function wellByHandshake({ detail }: GatewayError): Verdict {
  const note = `${detail}; only its TLS handshake is looked at, ${futilePerHour} times an hour; give a client certificate (--cert-file and --key-file), or a URL that needs none (--health-url)`;
  return { ...well("tls", note), uninformative: true };
}

/** How often what is {@link Verdict.uninformative} is checked, in an hour. */
export const futilePerHour = 4;

/** What endpoints rarely have alone: DNS that is down, and a CA that is not the one of the certificates. */
const shared: ReadonlySet<GatewayErrorCode> = new Set(["name-not-resolved", "untrusted"]);
