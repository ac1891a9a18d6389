import {
  type Discovery,
  type Endpoint,
  formatAddress,
  GatewayError,
  notify,
  parseAddress,
  quote,
} from "@gw/interface";
import type { DnsAnswer, DnsClient, SrvRecord } from "./dns/client.js";
import { createDnsClient } from "./dns/create-client.js";
import { union } from "./endpoint-sets.js";
import { type Reading, type RefreshOptions, refreshing } from "./refresh.js";

/** Options of {@link srv}. */
export interface SrvOptions extends RefreshOptions {
  /** The domain; relative to the search list of the resolver configuration unless it ends in a dot. */
  readonly domain: string;
  /** Suffix of the service names: `_etcd-client-ssl-NAME`, `_etcd-client-NAME`. @default none */
  readonly serviceName?: string | undefined;
  /**
   * Whether records without TLS (`_etcd-client`) are used: `true` always, `false` never.
   * @default only until a record with TLS is found; the observer is notified (`unsecured`)
   */
  readonly insecure?: boolean | undefined;
  /** Queries the servers. @default createDnsClient() */
  readonly dns?: DnsClient | undefined;
}

/** The SRV records of one service name. */
export interface SrvService {
  /** Whether the name is that of the service with TLS. */
  readonly secure: boolean;
  /** The name that was looked up: `_etcd-client-ssl._tcp.example.com`. */
  readonly name: string;
  /** The answer, or why there is none. */
  readonly answer: DnsAnswer<SrvRecord> | GatewayError;
}

/**
 * Endpoints from DNS SRV records (RFC 2782), under the service names of etcd: those with TLS,
 * `_etcd-client-ssl._tcp.DOMAIN`, and those without, `_etcd-client._tcp.DOMAIN`. Read again when the records' TTL
 * runs out.
 *
 * Without `insecure`, records without TLS are used only if an answer says that there are none with TLS, and never again
 * once there were some: neither an outage nor a forged answer can downgrade to plain text.
 *
 * Hosts keep their trailing dot, since they are absolute names. A target of `.` means that the service is not
 * offered here. If there are no records, the error has the names that were looked up.
 *
 * @throws {GatewayError} `invalid-option` if the domain or the service name cannot be part of a DNS name
 */
export function srv(options: SrvOptions): Discovery {
  const { domain, insecure, observer } = options;
  const source = `srv ${domain}`;
  const dns = options.dns ?? createDnsClient();
  const names = serviceNames(options);
  let rejected: ReadonlySet<string> = new Set();
  /** Service names whose records are in use: a failed look-up must not remove these. */
  const inUse = new Set<string>();
  let everUsable = false;
  let secureSeen = false;
  let reportedUnsecured = false;
  const isUsable = (endpoint: Endpoint): boolean =>
    isHostName(endpoint.host) && (endpoint.secure === true || (insecure ?? !secureSeen));
  const read = async (signal: AbortSignal): Promise<Reading> => {
    const services = await lookUp(dns, names, signal);
    secureSeen ||= services.some(offersTls);
    if (insecure === undefined) refuseUnknown(services);
    const answers = services.flatMap(({ name, secure, answer }) => {
      if (answer instanceof GatewayError) return [];
      const endpoints = endpointsOf(answer, secure);
      return [{ name, endpoints, ttlMs: answer.ttlMs, used: endpoints.some(isUsable) }];
    });
    const found = union(answers.map(({ endpoints }) => endpoints));
    const usable = found.filter(isUsable);
    for (const { name, secure, answer } of services) {
      const needed = secure || (insecure ?? !secureSeen);
      if (answer instanceof GatewayError && (usable.length === 0 || (needed && inUse.has(name))))
        throw answer;
    }
    reportRejected(found.filter(endpoint => !isUsable(endpoint)));
    for (const { name, used } of answers) {
      if (used) inUse.add(name);
      else inUse.delete(name);
    }
    if (usable.length > 0) {
      everUsable = true;
      if (insecure === undefined && !secureSeen) reportUnsecured(services);
      const ttlMs = Math.min(...answers.flatMap(({ used, ttlMs }) => (used ? ttlMs : [])));
      return { endpoints: usable, ttlMs, why: "the SRV records changed" };
    }
    const empty = noneUsable(domain, found, services, insecure === false);
    // At the start, a configuration that refuses all records is wrong. Later the records may be, and clients must not be cut off.
    if (empty.code === "invalid-option" && !everUsable) throw empty;
    return { endpoints: [], ttlMs: 0, empty };
  };
  const reportUnsecured = (services: readonly SrvService[]): void => {
    if (reportedUnsecured) return;
    reportedUnsecured = true;
    const [secure, plain] = services.map(({ name }) => name);
    const why = `there are no SRV records at ${secure}, and those at ${plain} are not secured: any host on the network could have sent them; --trusted-ca-file or --insecure-discovery=false refuses them`;
    notify(observer, "unsecured", { source, why });
  };
  const reportRejected = (endpoints: readonly Endpoint[]): void => {
    const before = rejected;
    rejected = new Set(endpoints.map(formatAddress));
    for (const endpoint of endpoints) {
      if (before.has(formatAddress(endpoint))) continue;
      const error = isHostName(endpoint.host)
        ? new GatewayError("invalid-option", "its record is without TLS; --insecure-discovery allows that")
        : new GatewayError("invalid-endpoint", `the target ${quote(endpoint.host)} is not a host name`);
      notify(observer, "endpointRejected", { source, endpoint, error });
    }
  };
  return refreshing(source, read, options);
}

/**
 * Looks up both service names in parallel.
 *
 * @throws {GatewayError} `invalid-option` if the domain or the service name cannot be part of a DNS name
 */
export function lookUpSrv(options: SrvOptions, signal: AbortSignal): Promise<readonly SrvService[]> {
  return lookUp(options.dns ?? createDnsClient(), serviceNames(options), signal);
}

/** The endpoints in an answer, in the order of their priorities. */
export function endpointsOf(answer: DnsAnswer<SrvRecord>, secure: boolean): readonly Endpoint[] {
  return answer.records
    .filter(({ target, port }) => target !== "." && port > 0)
    .map(({ target: host, port, priority, weight }) =>
      Object.freeze({ host, port, priority, weight, secure }),
    )
    .sort((one, other) => one.priority - other.priority);
}

interface ServiceName {
  readonly secure: boolean;
  readonly name: string;
}

function serviceNames({ domain, serviceName = "" }: SrvOptions): readonly ServiceName[] {
  const suffix = serviceName && `-${serviceName}`;
  const names = [true, false].map(secure => ({
    secure,
    name: `_etcd-client${secure ? "-ssl" : ""}${suffix}._tcp.${domain}`,
  }));
  if (domain === "") throw new GatewayError("invalid-option", 'the domain "" is not a DNS name');
  const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;
  for (const { name } of names)
    if (
      name.length > 253 ||
      !name
        .replace(/\.$/, "")
        .split(".")
        .every(part => label.test(part))
    )
      throw new GatewayError("invalid-option", `${quote(name)} is not a DNS name`);
  return names;
}

async function lookUp(
  dns: DnsClient,
  names: readonly ServiceName[],
  signal: AbortSignal,
): Promise<readonly SrvService[]> {
  const query = async ({ secure, name }: ServiceName): Promise<SrvService> => {
    const answer = await dns.srv(name, { signal }).catch((error: unknown) => GatewayError.from(error, name));
    return { secure, name, answer };
  };
  const services = await Promise.all(names.map(query));
  return Promise.all(services.map(service => retryWhereOthersAre(service, services, query)));
}

/**
 * A broken search domain can make one look-up fail while the other finds records in a later domain. Then the service that
 * failed is looked up in that domain only.
 */
async function retryWhereOthersAre(
  service: SrvService,
  others: readonly SrvService[],
  query: (name: ServiceName) => Promise<SrvService>,
): Promise<SrvService> {
  const { secure, name, answer } = service;
  if (!(answer instanceof GatewayError) || name.endsWith(".")) return service;
  for (const { answer: other } of others) {
    if (other instanceof GatewayError || other.records.length === 0) continue;
    const [label] = name.split(".", 1);
    const again = await query({ secure, name: `${label}${other.name.slice(other.name.indexOf("."))}` });
    if (!(again.answer instanceof GatewayError)) return { ...again, name };
  }
  return service;
}

function isHostName(host: string): boolean {
  try {
    return parseAddress(host, { defaultPort: 0 }).host === host;
  } catch {
    return false;
  }
}

/** Whether the service with TLS has records. The target "." means that there is no such service. */
function offersTls({ secure, answer }: SrvService): boolean {
  return secure && !(answer instanceof GatewayError) && answer.records.some(({ target }) => target !== ".");
}

/**
 * A failed look-up of the service with TLS does not mean that there is none.
 *
 * @throws {GatewayError} the failure, with the name of the service that is not used until then
 */
function refuseUnknown([secure, plain]: readonly SrvService[]): void {
  if (!(secure?.answer instanceof GatewayError)) return;
  const { code, detail } = secure.answer;
  const rest =
    plain?.answer instanceof GatewayError
      ? plain.answer.detail
      : `${plain?.name} is not used until that is known`;
  throw new GatewayError(code, `${detail}; ${rest}`, { cause: secure.answer });
}

/** Why none of `found` can be used. @param configured whether the configuration forbids records without TLS */
function noneUsable(
  domain: string,
  found: readonly Endpoint[],
  services: readonly SrvService[],
  configured: boolean,
): GatewayError {
  if (found.length === 0) return noRecords(services);
  const hosts = found.filter(({ host }) => isHostName(host));
  if (hosts.length === 0)
    return new GatewayError(
      "name-not-resolved",
      `no SRV record of ${quote(domain)} has a host name as its target`,
    );
  const [secure, plain] = services.map(({ name }) => name);
  return new GatewayError(
    configured ? "invalid-option" : "name-not-resolved",
    `all SRV records of ${quote(domain)} are without TLS (at ${plain}, not at ${secure}), so that any host on the network could have sent them; --insecure-discovery allows them`,
  );
}

function noRecords(services: readonly SrvService[]): GatewayError {
  const names = services.map(({ name }) => name).join(" and ");
  return new GatewayError("name-not-resolved", `no SRV records: looked up ${names}`);
}
