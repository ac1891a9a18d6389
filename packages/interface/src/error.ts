import { inspect } from "node:util";

/**
 * All kinds of errors.
 *
 * - `invalid-endpoint`, `invalid-address`, `invalid-option`, `invalid-selector`, `self-loop`: the
 *   configuration is wrong
 * - `refused`, `unreachable`, `timed-out`, `reset`, `name-not-resolved`: the network or the server failed
 * - `untrusted`: the endpoint has no TLS, or no valid certificate for its name
 * - `unhealthy`: the endpoint answered that it cannot serve, or its answer is invalid
 * - `wrong-cluster`: the endpoint is a member of another etcd cluster
 * - `certificate-refused`: the endpoint rejected the client certificate of the gateway, or requires one
 * - `out-of-resources`, `address-not-available`: this machine lacks file descriptors, memory or ports; not the
 *   endpoint's fault
 * - `address-in-use`, `not-permitted`: the operating system refused an address
 * - `selector-failed`: a selector threw or returned something other than a candidate
 * - `unavailable`: an optional feature cannot be used on this machine
 * - `aborted`: cancelled by the caller
 * - `unknown`: anything else; see `cause`
 */
export type GatewayErrorCode =
  | "invalid-endpoint"
  | "invalid-address"
  | "invalid-option"
  | "invalid-selector"
  | "self-loop"
  | "refused"
  | "unreachable"
  | "timed-out"
  | "reset"
  | "name-not-resolved"
  | "untrusted"
  | "unhealthy"
  | "wrong-cluster"
  | "certificate-refused"
  | "out-of-resources"
  | "address-not-available"
  | "address-in-use"
  | "not-permitted"
  | "selector-failed"
  | "unavailable"
  | "aborted"
  | "unknown";

/** What errors of all copies of this package have. */
const mark: unique symbol = Symbol.for("@gw/interface: GatewayError");

/**
 * The one error class of gw. A process may have several copies of it, such as the program's and one that a selector of its
 * user imports; `instanceof` knows the errors of all.
 */
export class GatewayError extends Error {
  static {
    Object.defineProperty(GatewayError.prototype, mark, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): value is GatewayError {
    return typeof value === "object" && value !== null && mark in value;
  }

  override readonly name = "GatewayError";
  readonly code: GatewayErrorCode;
  /** The message without its `[code]`, in one line. */
  readonly detail: string;

  constructor(code: GatewayErrorCode, detail: string, options?: { readonly cause?: unknown }) {
    super(`[${code}] ${detail}`, options);
    this.code = code;
    this.detail = detail;
  }

  /** Whether this machine is the cause, not the endpoint. */
  get isLocal(): boolean {
    return (
      this.code === "out-of-resources" || this.code === "address-not-available" || this.code === "aborted"
    );
  }

  /** `error` itself if it is a GatewayError; otherwise one with the code for Node's errno. @param operation begins its detail */
  static from(error: unknown, operation: string): GatewayError {
    if (error instanceof GatewayError) return error;
    const errno = errnoOf(error);
    const code = (errno && Object.hasOwn(codes, errno) && codes[errno]) || "unknown";
    const what = (errno && sentences[code]) || messageOf(error);
    return new GatewayError(code, `${operation}: ${what}${errno ? ` (${errno})` : ""}`, { cause: error });
  }
}

/** A one-line description of what was thrown, which may be any value. */
export function messageOf(thrown: unknown): string {
  return textOf(thrown).replace(/\s*[\r\n\u2028\u2029]\s*/g, " ");
}

function textOf(thrown: unknown): string {
  try {
    const text = thrown instanceof Error ? thrown.message || thrown.name : thrown;
    return typeof text === "string" ? text : inspect(text);
  } catch {
    // Getters and custom inspection can throw as well.
    return "something that cannot be described";
  }
}

/** The codes for Node's errnos, named as in errno(3) and getaddrinfo(3). */
const codes: { readonly [errno: string]: GatewayErrorCode } = {
  ECONNREFUSED: "refused",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EHOSTDOWN: "unreachable",
  ENETDOWN: "unreachable",
  // There is no interface of that number or name; this machine has no IPv6.
  ENODEV: "unreachable",
  EAFNOSUPPORT: "unreachable",
  ETIMEDOUT: "timed-out",
  ECONNRESET: "reset",
  ECONNABORTED: "reset",
  EPIPE: "reset",
  ENOTFOUND: "name-not-resolved",
  EAI_AGAIN: "name-not-resolved",
  EAI_FAIL: "name-not-resolved",
  EAI_NODATA: "name-not-resolved",
  EAI_NONAME: "name-not-resolved",
  EAGAIN: "out-of-resources",
  EMFILE: "out-of-resources",
  ENFILE: "out-of-resources",
  ENOBUFS: "out-of-resources",
  ENOMEM: "out-of-resources",
  EADDRNOTAVAIL: "address-not-available",
  EADDRINUSE: "address-in-use",
  EACCES: "not-permitted",
  EPERM: "not-permitted",
};

const sentences: { readonly [code in GatewayErrorCode]?: string } = {
  refused: "connection refused",
  unreachable: "network or host unreachable",
  "timed-out": "timed out",
  reset: "connection reset",
  "name-not-resolved": "the name cannot be resolved",
  "out-of-resources": "out of file descriptors or memory",
  "address-not-available": "no such local address, or no free port",
  "address-in-use": "address already in use",
  "not-permitted": "permission denied",
};

function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
