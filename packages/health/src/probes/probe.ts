import {
  createDial,
  createTlsContext,
  type Dial,
  type HttpClientOptions,
  type TlsContext,
  type TlsOptions,
} from "@gw/etcd-client";
import {
  type Clock,
  type Endpoint,
  formatAddress,
  GatewayError,
  type GatewayErrorCode,
  type Probe,
  type ProbeRequest,
  systemClock,
  type Verdict,
} from "@gw/interface";
import { probeDefaults, uninformativePerHour } from "../defaults.js";

/** Options of all probes. */
export interface ProbeOptions {
  /** How long one check may take, the dial included, in milliseconds. @default 2000 */
  readonly timeoutMs?: number | undefined;
  /** Connects; the socket returned belongs to the probe, and may be paused and half-open. @default createDial() */
  readonly dial?: Dial | undefined;
  /** See `HttpClientOptions` of `@gw/etcd-client`. @default none: connections to host names are kept for a minute */
  readonly resolve?: HttpClientOptions["resolve"];
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** Options of probes that speak TLS. */
export interface ProbeTlsOptions {
  /**
   * PEM of the CAs that endpoints with TLS must have their certificate from, for their host or for one of
   * `serverNames`. Without it certificates are not checked: a probe reads an endpoint's state, and sends it no secret.
   * @default none
   */
  readonly ca?: TlsOptions["ca"];
  /** PEM of the client certificate, with its intermediates; needs `key`. @default none */
  readonly cert?: TlsOptions["cert"];
  /** PEM of the private key of `cert`. */
  readonly key?: TlsOptions["key"];
  /** Names that a certificate may carry instead of the endpoint's host, such as the discovery domain. @default none */
  readonly serverNames?: TlsOptions["serverNames"];
}

/** A probe that keeps connections between two checks. */
export interface KeptProbe extends Probe {
  /** Closes them. A later check opens them again. */
  close(): void;
}

/** {@link ProbeOptions}, checked and with their defaults. */
export interface ProbeSettings {
  readonly timeoutMs: number;
  readonly dial: Dial;
  readonly resolve: HttpClientOptions["resolve"];
  readonly clock: Clock;
}

/** @throws {GatewayError} `invalid-option` */
export function probeSettings(options: ProbeOptions): ProbeSettings {
  const { timeoutMs = probeDefaults.timeoutMs, dial = createDial(), clock = systemClock, resolve } = options;
  if (!(timeoutMs > 0 && timeoutMs < 2 ** 31))
    throw new GatewayError("invalid-option", `timeoutMs ${timeoutMs} is not more than 0 and less than 2³¹`);
  return { timeoutMs, dial, resolve, clock };
}

/** How long one check may take, in milliseconds. */
export function timeoutOf({ timeoutMs }: ProbeSettings, request: ProbeRequest | undefined): number {
  return Math.max(1, Math.min(timeoutMs, request?.timeoutMs ?? timeoutMs));
}

/** @throws {GatewayError} `invalid-option` */
export function probeTls({ ca, cert, key, serverNames }: ProbeTlsOptions): TlsContext {
  return createTlsContext({ ca, cert, key, serverNames, verify: ca !== undefined });
}

/** Turns what `probe` throws into a verdict of `check`, unless the check was aborted. */
export function guarded(check: string, probe: Probe): Probe {
  return async (endpoint, signal, request) => {
    const operation = operationOf(endpoint);
    const throwIfAborted = (): void => {
      if (signal.aborted)
        throw new GatewayError("aborted", `${operation}: given up`, { cause: signal.reason });
    };
    throwIfAborted();
    const verdict = await probe(endpoint, signal, request).catch((error: unknown) =>
      failed(check, GatewayError.from(error, operation)),
    );
    throwIfAborted();
    return verdict;
  };
}

/** What errors of a check begin with. */
export function operationOf(endpoint: Endpoint): string {
  return `probe ${formatAddress(endpoint)}`;
}

/** The check found no fault. A mere connection does not prove that the endpoint serves clients. */
export function healthy(check: string, note?: string): Verdict {
  return {
    check,
    scope: "endpoint",
    ...(check === "tcp" && { conclusive: false }),
    ...(note !== undefined && { note }),
  };
}

/** The check found a fault. */
export function unhealthy(check: string, error: GatewayError, scope: Verdict["scope"]): Verdict {
  return { check, error, scope, connectable: isConnectable(check, error.code) };
}

/** The check failed; whose fault that may be follows from `error`. */
export function failed(check: string, error: GatewayError): Verdict {
  const verdict = unhealthy(check, error, shared.has(error.code) ? "cluster" : "endpoint");
  // Each check that closes the connection because of a certificate leaves an error in the endpoint's log.
  return error.code === "untrusted" ? { ...verdict, uninformative: true } : verdict;
}

/**
 * The endpoint refuses this side's certificate, so that no deeper check is possible: it has answered, at least. Each check
 * leaves an error in its log.
 */
export function healthyByHandshake({ detail }: GatewayError): Verdict {
  const note = `${detail}; only its TLS handshake is checked, ${uninformativePerHour} times an hour; give a client certificate (--cert-file and --key-file), or a URL that needs none (--health-url)`;
  return { ...healthy("tls", note), uninformative: true };
}

/** Faults that endpoints rarely have alone: DNS is down, or the CA is not the one of the certificates. */
const shared: ReadonlySet<GatewayErrorCode> = new Set(["name-not-resolved", "untrusted"]);

/** A timeout is the fault of the server behind the connection, unless the check is only the connection. */
function isConnectable(check: string, code: GatewayErrorCode): boolean {
  return code !== "refused" && code !== "unreachable" && !(check === "tcp" && code === "timed-out");
}
