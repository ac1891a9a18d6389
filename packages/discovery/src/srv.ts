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
   * @default only while no record with TLS has been seen; the observer is told (`unsecured`)
   */
  readonly insecure?: boolean | undefined;
  /** Asks the servers. @default createDnsClient() */
  readonly dns?: DnsClient | undefined;
}

/** What DNS says of one service name. */
export interface SrvService {
  /** Whether the name is that of the service with TLS. */
  readonly secure: boolean;
  /** The name that was asked for, as it was put together: `_etcd-client-ssl._tcp.example.com`. */
  readonly name: string;
  /** The answer, or why there is none. */
  readonly answer: DnsAnswer<SrvRecord> | GatewayError;
}

/**
 * Endpoints from DNS SRV records (RFC 2782), under the service names of etcd: those with TLS,
 * `_etcd-client-ssl._tcp.DOMAIN`, and those without, `_etcd-client._tcp.DOMAIN`. Read again when the records' TTL
 * runs out.
 *
 * Without `insecure`, records without TLS are used only if DNS says that there are none with TLS, and never again once
 * some were seen: neither an outage nor a forged answer takes TLS away.
 *
 * Hosts keep their trailing dot, since they are absolute names. A target of `.` means that the service is not
 * offered here. Where nothing is found, the error names what was asked for.
 *
 * @throws {GatewayError} `invalid-option` if the domain or the service name cannot be part of a DNS name
 */
export function srv(options: SrvOptions): Discovery {
  const { domain, insecure, observer } = options;
  const source = `srv ${domain}`;
  const dns = options.dns ?? createDnsClient();
  const names = serviceNames(options);
  let refused: ReadonlySet<string> = new Set();
  /** Service names whose records are in use: a failure to look them up must not take these away. */
  const productive = new Set<string>();
  let everUsable = false;
  let secureSeen = false;
  let toldUnsecured = false;
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
      if (answer instanceof GatewayError && (usable.length === 0 || (needed && productive.has(name))))
        throw answer;
    }
    tellRefused(found.filter(endpoint => !isUsable(endpoint)));
    for (const { name, used } of answers) {
      if (used) productive.add(name);
      else productive.delete(name);
    }
    if (usable.length > 0) {
      everUsable = true;
      if (insecure === undefined && !secureSeen) tellUnsecured(services);
      const ttlMs = Math.min(...answers.flatMap(({ used, ttlMs }) => (used ? ttlMs : [])));
      return { endpoints: usable, ttlMs, why: "the SRV records changed" };
    }
    const empty = whyNothing(domain, found, services, insecure === false);
    // Refused by the configuration, this never serves. Later it may be an operator's slip, which must not cut clients off.
    if (empty.code === "invalid-option" && !everUsable) throw empty;
    return { endpoints: [], ttlMs: 0, empty };
  };
  const tellUnsecured = (services: readonly SrvService[]): void => {
    if (toldUnsecured) return;
    toldUnsecured = true;
    const [secure, plain] = services.map(({ name }) => name);
    const why = `there are no SRV records at ${secure}, and those at ${plain} are not secured: anybody on the network could have answered; --trusted-ca-file or --insecure-discovery=false refuses them`;
    notify(observer, "unsecured", { source, why });
  };
  const tellRefused = (endpoints: readonly Endpoint[]): void => {
    const before = refused;
    refused = new Set(endpoints.map(formatAddress));
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
 * Asks for both service names at once.
 *
 * @throws {GatewayError} `invalid-option` if the domain or the service name cannot be part of a DNS name
 */
export function lookUpSrv(options: SrvOptions, signal: AbortSignal): Promise<readonly SrvService[]> {
  return lookUp(options.dns ?? createDnsClient(), serviceNames(options), signal);
}

/** The endpoints that an answer offers, in the order of their priorities. */
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
  const ask = async ({ secure, name }: ServiceName): Promise<SrvService> => {
    const answer = await dns.srv(name, { signal }).catch((error: unknown) => GatewayError.from(error, name));
    return { secure, name, answer };
  };
  const services = await Promise.all(names.map(ask));
  return Promise.all(services.map(service => besideOthers(service, services, ask)));
}

/**
 * A search domain that is broken fails one look-up, while the other has found records in a later domain. What counts is
 * that domain, so the service that failed is asked for there alone.
 */
async function besideOthers(
  service: SrvService,
  others: readonly SrvService[],
  ask: (name: ServiceName) => Promise<SrvService>,
): Promise<SrvService> {
  const { secure, name, answer } = service;
  if (!(answer instanceof GatewayError) || name.endsWith(".")) return service;
  for (const { answer: other } of others) {
    if (other instanceof GatewayError || other.records.length === 0) continue;
    const [label] = name.split(".", 1);
    const again = await ask({ secure, name: `${label}${other.name.slice(other.name.indexOf("."))}` });
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

/** Whether the service with TLS has records. The target "." is DNS's word for "there is no such service". */
function offersTls({ secure, answer }: SrvService): boolean {
  return secure && !(answer instanceof GatewayError) && answer.records.some(({ target }) => target !== ".");
}

/**
 * A look-up of the service with TLS that fails does not say that there is none.
 *
 * @throws {GatewayError} the failure, with the name of the service that is not used meanwhile
 */
function refuseUnknown([secure, plain]: readonly SrvService[]): void {
  if (!(secure?.answer instanceof GatewayError)) return;
  const { code, detail } = secure.answer;
  const rest =
    plain?.answer instanceof GatewayError
      ? plain.answer.detail
      : `${plain?.name} is not used while that is not known`;
  throw new GatewayError(code, `${detail}; ${rest}`, { cause: secure.answer });
}

/** Why none of `found` can be used. @param configured whether the configuration refuses records without TLS */
function whyNothing(
  domain: string,
  found: readonly Endpoint[],
  services: readonly SrvService[],
  configured: boolean,
): GatewayError {
  if (found.length === 0) return nothingFound(services);
  const hosts = found.filter(({ host }) => isHostName(host));
  if (hosts.length === 0)
    return new GatewayError(
      "name-not-resolved",
      `no SRV record of ${quote(domain)} has a host name as its target`,
    );
  const [secure, plain] = services.map(({ name }) => name);
  return new GatewayError(
    configured ? "invalid-option" : "name-not-resolved",
    `all SRV records of ${quote(domain)} are without TLS (at ${plain}, not at ${secure}), so that anybody on the network could have answered; --insecure-discovery allows them`,
  );
}

function nothingFound(services: readonly SrvService[]): GatewayError {
  const names = services.map(({ name }) => name).join(" and ");
  return new GatewayError("name-not-resolved", `no SRV records: asked for ${names}`);
}
