import { isIP } from "node:net";
import type { ServerCertificate } from "@gw/etcd-client";
import type { MemberStatus } from "@gw/health";
import { type Endpoint, formatAddress, GatewayError, type Probe } from "@gw/interface";
import type { Dialer, Lookup } from "@gw/tcpproxy";

/** What one endpoint turned out to be. */
export interface EndpointCheck {
  readonly endpoint: string;
  /** SRV priority: lower numbers serve first. */
  readonly tier: number;
  readonly weight: number;
  /** Whether a client could be served by it now. */
  readonly usable: boolean;
  /** Its addresses in the order in which they are dialled, up to the first that accepted. */
  readonly addresses: readonly {
    readonly address: string;
    readonly connectMs?: number;
    readonly error?: string;
  }[];
  /** What health checks make of it; absent with `--health-check off`. */
  readonly health?: { readonly level: string; readonly error?: string; readonly note?: string };
  /** Whether it speaks TLS, where that could be told. */
  readonly secure?: boolean;
  readonly certificate?: {
    /** In UTC, as `2027-01-31T12:00:00.000Z`. */
    readonly expires?: string;
    readonly protocol?: string;
    readonly subject?: string;
    readonly error?: string;
  };
  /** What it says of itself, if it is etcd. */
  readonly member?: Omit<MemberStatus, "secure">;
  /** Why it does not tell. */
  readonly memberError?: string;
}

/** What one looks with. */
export interface Instruments {
  readonly dialer: Dialer;
  readonly lookup: Lookup;
  readonly status: (endpoint: Endpoint, signal: AbortSignal) => Promise<MemberStatus>;
  readonly certificate: (endpoint: Endpoint, signal: AbortSignal) => Promise<ServerCertificate>;
  /** Whether an endpoint serves only with a good certificate. */
  readonly certificateDemanded: boolean;
  readonly probe: Probe | undefined;
}

/** Looks at one endpoint. Takes no longer than the timeouts of what it looks with, one after the other. */
export async function checkEndpoint(
  endpoint: Endpoint,
  instruments: Instruments,
  signal: AbortSignal,
): Promise<EndpointCheck> {
  const { host, priority, weight, secure } = endpoint;
  const known = { endpoint: formatAddress(endpoint), tier: priority, weight };
  const declared = secure === undefined ? {} : { secure };
  const addresses = await connect(host, endpoint.port, instruments, signal);
  if (!addresses.some(({ connectMs }) => connectMs !== undefined))
    return { ...known, ...declared, addresses, usable: false };
  const [health, told] = await Promise.all([
    instruments.probe && look(instruments.probe, endpoint, signal),
    outcome(instruments.status(endpoint, signal), "status"),
  ]);
  const speaksTls = "value" in told ? told.value.secure : (secure ?? health?.level === "tls");
  const certificate = speaksTls ? await certificateOf(endpoint, instruments, signal) : undefined;
  const trusted = certificate?.error === undefined || !instruments.certificateDemanded;
  const usable = health?.error === undefined && trusted;
  return {
    ...known,
    addresses,
    usable,
    ...(health && { health }),
    ...("value" in told || secure !== undefined || speaksTls ? { secure: speaksTls } : {}),
    ...(certificate && { certificate }),
    ...memberOf(told),
  };
}

/** Dials one address after the other, as a client would, until one accepts. */
async function connect(
  host: string,
  port: number,
  { dialer, lookup }: Instruments,
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

async function look(
  probe: Probe,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<NonNullable<EndpointCheck["health"]>> {
  const looked = await outcome(probe(endpoint, signal), "probe");
  if ("error" in looked) return { level: "tcp", error: looked.error.detail };
  const { check, error, note } = looked.value;
  return { level: check, ...(error && { error: error.detail }), ...(note !== undefined && { note }) };
}

async function certificateOf(
  endpoint: Endpoint,
  { certificate }: Instruments,
  signal: AbortSignal,
): Promise<NonNullable<EndpointCheck["certificate"]>> {
  const shown = await outcome(certificate(endpoint, signal), "TLS");
  if ("error" in shown) return { error: shown.error.detail };
  const { validTo, protocol, subject } = shown.value;
  return { expires: validTo.toISOString(), protocol, subject };
}

function memberOf(told: Outcome<MemberStatus>): Pick<EndpointCheck, "member" | "memberError"> {
  if ("error" in told) return { memberError: told.error.detail };
  const { secure: _, ...member } = told.value;
  return { member };
}

type Outcome<T> = { readonly value: T } | { readonly error: GatewayError };

/** @param doing what an error that is not ours yet begins with */
function outcome<T>(promise: Promise<T>, doing: string): Promise<Outcome<T>> {
  return promise.then(
    value => ({ value }),
    (error: unknown) => ({ error: GatewayError.from(error, doing) }),
  );
}
