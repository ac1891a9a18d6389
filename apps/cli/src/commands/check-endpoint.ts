import { isIP } from "node:net";
import type { ServerCertificate } from "@gw/etcd-client";
import type { MemberStatus } from "@gw/health";
import { type Endpoint, formatAddress, GatewayError, type Probe } from "@gw/interface";
import type { Dialer, Lookup } from "@gw/tcpproxy";

/** The result of checking one endpoint. */
export interface EndpointCheck {
  readonly endpoint: string;
  /** SRV priority: lower numbers serve first. */
  readonly tier: number;
  readonly weight: number;
  /** Whether it can serve a client now. */
  readonly usable: boolean;
  /** Its addresses in the order in which they are dialled, up to the first that accepted. */
  readonly addresses: readonly {
    readonly address: string;
    readonly connectMs?: number;
    readonly error?: string;
  }[];
  /** The result of a health check, by the name of the check; absent with `--health-check off`. */
  readonly health?: { readonly check: string; readonly error?: string; readonly note?: string };
  /** Whether it speaks TLS; absent if that is unknown. */
  readonly secure?: boolean;
  readonly certificate?: {
    /** In UTC, as `2027-01-31T12:00:00.000Z`. */
    readonly expires?: string;
    readonly protocol?: string;
    readonly subject?: string;
    readonly error?: string;
  };
  /** Its status, if it is etcd. */
  readonly member?: Omit<MemberStatus, "secure">;
  /** Why it has no status. */
  readonly memberError?: string;
  /** That it belongs to another cluster than the one that `--cluster-id` names. */
  readonly clusterError?: string;
}

/** What checks are made with. */
export interface CheckContext {
  readonly dialer: Dialer;
  readonly lookup: Lookup;
  readonly status: (endpoint: Endpoint, signal: AbortSignal) => Promise<MemberStatus>;
  readonly certificate: (endpoint: Endpoint, signal: AbortSignal) => Promise<ServerCertificate>;
  /** Whether an endpoint may serve only with a valid certificate. */
  readonly certificateDemanded: boolean;
  readonly probe: Probe | undefined;
  /** The id that `--cluster-id` names. */
  readonly pinned: string | undefined;
}

/** Checks one endpoint. Takes no longer than the timeouts of its checks together. */
export async function checkEndpoint(
  endpoint: Endpoint,
  context: CheckContext,
  signal: AbortSignal,
): Promise<EndpointCheck> {
  const { host, priority, weight, secure } = endpoint;
  const known = { endpoint: formatAddress(endpoint), tier: priority, weight };
  const declared = secure === undefined ? {} : { secure };
  const addresses = await connect(host, endpoint.port, context, signal);
  if (!addresses.some(({ connectMs }) => connectMs !== undefined))
    return { ...known, ...declared, addresses, usable: false };
  const [health, status] = await Promise.all([
    context.probe && checkHealth(context.probe, endpoint, signal),
    outcome(context.status(endpoint, signal), "status"),
  ]);
  const speaksTls = "value" in status ? status.value.secure : (secure ?? health?.check === "tls");
  const certificate = speaksTls ? await certificateOf(endpoint, context, signal) : undefined;
  const trusted = certificate?.error === undefined || !context.certificateDemanded;
  const clusterError = clusterErrorOf("value" in status ? status.value.clusterId : undefined, context.pinned);
  const usable = health?.error === undefined && trusted && clusterError === undefined;
  return {
    ...known,
    addresses,
    usable,
    ...(health && { health }),
    ...("value" in status || secure !== undefined || speaksTls ? { secure: speaksTls } : {}),
    ...(certificate && { certificate }),
    ...memberOf(status),
    ...(clusterError !== undefined && { clusterError }),
  };
}

/** Dials one address after the other, as a client would, until one accepts. */
async function connect(
  host: string,
  port: number,
  { dialer, lookup }: CheckContext,
  signal: AbortSignal,
): Promise<EndpointCheck["addresses"]> {
  const found = isIP(host)
    ? { value: [host] }
    : await outcome(
        lookup(host).then(({ addresses }) => addresses),
        `look up ${host}`,
      );
  if ("error" in found) return [{ address: host, error: found.error.detail }];
  const tried: EndpointCheck["addresses"][number][] = [];
  for (const address of found.value) {
    const since = performance.now();
    const dialled = await outcome(
      dialer.dial({ host: address, port, priority: 0, weight: 0 }, { signal }),
      "dial",
    );
    if ("value" in dialled) {
      const connectMs = Math.round((performance.now() - since) * 100) / 100;
      dialled.value.on("error", () => {}).destroy();
      return [...tried, { address, connectMs }];
    }
    tried.push({ address, error: dialled.error.detail });
  }
  return tried.length > 0 ? tried : [{ address: host, error: `${host} has no address` }];
}

async function checkHealth(
  probe: Probe,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<NonNullable<EndpointCheck["health"]>> {
  const found = await outcome(probe(endpoint, signal), "probe");
  if ("error" in found) return { check: "tcp", error: found.error.detail };
  const { check, error, note } = found.value;
  return { check, ...(error && { error: error.detail }), ...(note !== undefined && { note }) };
}

async function certificateOf(
  endpoint: Endpoint,
  { certificate }: CheckContext,
  signal: AbortSignal,
): Promise<NonNullable<EndpointCheck["certificate"]>> {
  const shown = await outcome(certificate(endpoint, signal), "TLS");
  if ("error" in shown) return { error: shown.error.detail };
  const { validTo, protocol, subject } = shown.value;
  return { expires: validTo.toISOString(), protocol, subject };
}

function memberOf(status: Outcome<MemberStatus>): Pick<EndpointCheck, "member" | "memberError"> {
  if ("error" in status) return { memberError: status.error.detail };
  const { secure: _, ...member } = status.value;
  return { member };
}

/** Why an endpoint of `clusterId` must not be used; undefined if that is not known, or it may be. */
export function clusterErrorOf(
  clusterId: string | undefined,
  pinned: string | undefined,
): string | undefined {
  if (clusterId === undefined || pinned === undefined || clusterId === pinned) return undefined;
  return `it is a member of cluster ${clusterId}, not of ${pinned}`;
}

type Outcome<T> = { readonly value: T } | { readonly error: GatewayError };

/** @param operation what the message of an error begins with */
function outcome<T>(promise: Promise<T>, operation: string): Promise<Outcome<T>> {
  return promise.then(
    value => ({ value }),
    (error: unknown) => ({ error: GatewayError.from(error, operation) }),
  );
}
