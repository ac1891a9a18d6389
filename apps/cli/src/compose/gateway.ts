import { refreshDefaults } from "@gw/discovery";
import {
  type Address,
  backoffMs,
  type Endpoint,
  formatAddress,
  GatewayError,
  type HealthObserver,
  type Observer,
  systemClock,
  withJitter,
} from "@gw/interface";
import { createPool } from "@gw/selector";
import {
  createDialer,
  createProxy,
  type Dialer,
  isSelfDial,
  proxyDefaults,
  type TcpProxy,
} from "@gw/tcpproxy";
import { defaultListen } from "../flags/connections.js";
import { rejectRebalance, rejectStartContradictions } from "../flags/contradictions.js";
import type { OptionInForce } from "../flags/options-in-force.js";
import type { StartFlags } from "../flags/table.js";
import { combineObservers } from "../log/combine.js";
import type { EventLog } from "../log/event-log.js";
import { openMemory, stateFilePath } from "../memory/memory.js";
import type { GatewayAdmin } from "./admin.js";
import type { Dial } from "./certificates.js";
import { createHealth } from "./health.js";
import { Holds } from "./holds.js";
import { createIdentity } from "./identity.js";
import { watchHosts } from "./moved-hosts.js";
import { chooseRelay } from "./relay.js";
import { createResolvable } from "./resolvable.js";
import { createResolver } from "./resolver.js";
import { defaultSelector, loadSelector } from "./selector.js";
import { createSources, firstSet, type SourceWatch, watchSources } from "./sources.js";

/** A gateway that accepts clients. */
export interface Gateway {
  readonly proxy: TcpProxy;
  /** The endpoints that it started with. */
  readonly endpoints: readonly Endpoint[];
  /** The name of the relay in use. */
  readonly relay: string;
  /** Reads files and looks up everything again. What cannot be read is logged, and what was read before stays in use. */
  reload(): void;
  /** Stops everything that the gateway runs, and drains it; see {@link TcpProxy.close}. */
  close(options: { readonly graceMs: number }): Promise<{ readonly cut: number }>;
}

/** The program that runs a gateway. */
interface Program {
  readonly version: string;
  readonly options: () => readonly OptionInForce[];
}

/** Where a gateway reports what happens. */
export interface GatewayContext {
  readonly log: EventLog;
  readonly observer: Observer & HealthObserver;
  /** What the admin server shows of this program. @default nothing */
  readonly program?: Program | undefined;
}

/**
 * Composes a gateway as the flags say, and listens as soon as endpoints are known.
 *
 * @throws {GatewayError} if the flags are wrong, an endpoint is the gateway itself, an address cannot be listened on, or
 *   `signal` was aborted; then nothing is left running
 */
export async function startGateway(
  flags: StartFlags,
  { log, observer: given, program }: GatewayContext,
  signal: AbortSignal,
): Promise<Gateway> {
  rejectStartContradictions(flags);
  const policy = await loadSelector(flags.selector);
  rejectRebalance(flags, policy);
  // Nothing of the admin server is loaded unless it is wanted.
  const admin = flags.adminAddr && (await import("./admin.js"));
  const seen = admin?.watchGateway();
  const observer = seen ? combineObservers(given, ...seen.observers) : given;
  const relay = await chooseRelay(flags.relay, {
    threads: flags.relayThreads,
    onFallback: why => log.write("relay fallback", { relay: "js", reason: why }),
  });

  const memory = await openMemory(flags, stateFilePath(flags, process.env), { log });
  const system = await createResolver(flags, (event, why) => log.write(event, { reason: why }));
  const hosts = watchHosts(memory.withAddresses(system.lookup));
  const resolver = { ...system, lookup: hosts.lookup };
  const dialer = createDialer({ connectTimeoutMs: flags.connectTimeoutMs, lookup: resolver.lookup });
  const dial: Dial = (endpoint, signal) => dialer.dial(endpoint, { signal });

  const sources = await createSources(flags, {
    resolver,
    dial,
    observer,
    withFallback: memory.withEndpoints,
    warn: (event, why) => log.write(event, { reason: why }),
  });
  seen?.tracker.addStatic(sources.listed);
  for (const endpoint of sources.duplicates) log.write("endpoint duplicated", { endpoint });

  const identity = createIdentity(flags, {
    dial,
    serverNames: sources.serverNames,
    certificates: sources.certificates,
    observer,
    remembered: memory.clusterId,
  });
  hosts.onMoved(identity.moved);

  let healthError: GatewayError | undefined;
  const health = await createHealth(flags, {
    dial,
    resolve: host => dialer.resolve(host),
    connectTimeoutMs: dialer.connectTimeoutMs,
    serverNames: sources.serverNames,
    certificates: sources.certificates,
    observer,
    onFacts: identity.learn,
    onFailure(error) {
      healthError = error;
      log.write("health checks unavailable", { reason: error.detail });
    },
  });

  const pool = createPool({
    selector: policy.selector,
    weighted: policy.weighted,
    retryDelayMs: flags.retryDelayMs,
    maxRetryDelayMs: flags.maxRetryDelayMs,
    panicThreshold: flags.panicThreshold,
    onRemoved: flags.onRemoved,
    onUnhealthy: flags.onUnhealthy,
    drainTimeoutMs: flags.drainTimeoutMs,
    maxConnectionAgeMs: flags.maxConnectionAgeMs,
    rebalance: flags.rebalance,
    async probe(endpoint, signal) {
      const verdict = await health.retry(endpoint, signal);
      await identity.admit(endpoint, signal);
      return verdict;
    },
    onSuspicion(endpoint, why) {
      health.suspect(endpoint, why);
      seen?.recorder.suspected(endpoint, why);
      // Where connections fail, its address may lead to another member now.
      if (why === "lost" || why === "unanswered" || why === "refused") identity.suspect(endpoint);
    },
    onConnected: identity.connected,
    waitForEndpoints: true,
    recording: seen?.recording,
    observer,
  });

  const holds = new Holds((endpoints, rejected) => pool.update(endpoints, rejected));
  const listen = flags.listen ?? defaultListen;
  const stallTimeoutMs =
    flags.healthCheck === "off" ? 0 : (flags.stallTimeoutMs ?? proxyDefaults.stallTimeoutMs);
  const proxy = createProxy({
    listen,
    pool,
    dialer,
    relay,
    idleTimeoutMs: flags.idleTimeoutMs,
    halfCloseTimeoutMs: flags.halfCloseTimeoutMs,
    writeTimeoutMs: flags.writeTimeoutMs,
    // Without checks nothing would follow.
    stallTimeoutMs,
    keepAliveDelayMs: flags.keepAliveDelayMs,
    keepAliveIntervalMs: flags.keepAliveIntervalMs,
    keepAliveProbes: flags.keepAliveProbes,
    userTimeoutMs: flags.userTimeoutMs,
    maxConnections: flags.maxConnections,
    maxAttempts: flags.maxConnectAttempts,
    observer,
  });

  // Endpoints flow from the sources to the pool, once their hosts have addresses and their cluster is known.
  const stop = new AbortController();
  const watch = watchSources(sources.discovery, AbortSignal.any([stop.signal, signal]));
  const resolvable = createResolvable({
    dialer,
    use: identity.update,
    onUnresolved: (endpoint, error) =>
      log.write("endpoint unresolved", { endpoint: formatAddress(endpoint), reason: error.detail }),
    onResolved: endpoint => log.write("endpoint resolved", { endpoint: formatAddress(endpoint) }),
  });
  const refresh = (): void => {
    resolver.forget();
    dialer.forget();
    resolvable.refresh();
    watch.refresh();
  };
  const urgentRefresh = repeat(refresh, flags.discoveryMinRefreshMs ?? refreshDefaults.minRefreshMs);
  // While all endpoints are down, or belong to another cluster, theirs may have moved to other addresses.
  pool.onChange(({ allDown }) => {
    // Those that an operator holds are not missing.
    if (allDown || (pool.size === 0 && !holds.isAnyHeld)) urgentRefresh.start();
    else urgentRefresh.stop();
  });

  const refreshAll = (): void => {
    health.reload();
    identity.refresh();
    refresh();
  };
  let server: GatewayAdmin | undefined;
  const close: Gateway["close"] = async options => {
    server?.draining();
    stop.abort();
    const saved = memory.close();
    urgentRefresh.close();
    health.close();
    resolvable.close();
    identity.close();
    pool.close();
    const closed = await proxy.close(options);
    await Promise.all([saved, server?.close()]);
    return closed;
  };
  const reload = (): void => {
    try {
      sources.certificates.reload();
    } catch (error) {
      log.write("reload failed", { reason: GatewayError.from(error, "reload").detail });
    }
    refreshAll();
  };
  try {
    // Before endpoints are known: it shows why they are not.
    if (admin && seen && flags.adminAddr)
      server = await admin.startAdmin(flags.adminAddr, {
        flags,
        options: program?.options() ?? [],
        version: program?.version ?? "unknown",
        log,
        watch: seen,
        pool,
        proxy,
        holds,
        health,
        relay: relay.name,
        selector: flags.selector ?? defaultSelector,
        stallTimeoutMs,
        healthError: () => healthError,
        reload,
      });
    const endpoints = await firstSet(watch);
    resolvable.update(endpoints);
    const [addresses, ...listening] = await Promise.all([
      resolvable.ready(),
      ...listen.map(address => resolveAll(address, dialer)),
    ]);
    // What is remembered may be wrong, and ends no start.
    const known = [...addresses].filter(([endpoint]) => !memory.isRemembered(endpoint));
    rejectSelf(new Map(known), listen, listening.flat());
    signal.throwIfAborted();
    identity.start(holds);
    resolvable.start();
    await proxy.listen();
    health.start(pool);
    memory.follow({ inspect: () => holds.withHeld(pool.inspect()) }, () => identity.clusterId);
    void follow(watch, set => {
      if (set.length === 0) memory.forget();
      resolvable.update(set);
    });
    sources.certificates.follow(
      {
        onUsed() {
          log.write("certificates reloaded", {});
          refreshAll();
        },
        onProblem: error => log.write("certificates invalid", { reason: error.detail }),
      },
      stop.signal,
    );
    return { proxy, endpoints, relay: relay.name, reload, close };
  } catch (error) {
    await close({ graceMs: 0 });
    throw error;
  }
}

async function follow(watch: SourceWatch, use: (endpoints: readonly Endpoint[]) => void): Promise<void> {
  for (let set = await watch.next(); set; set = await watch.next()) use(set);
}

/** A crash of the whole cluster is seen by all of its gateways at once: the first look-up is within this time, in ms. */
const urgentSpreadMs = 1_000;
/** The longest delay between urgent look-ups, in milliseconds. The first is the shortest time between two look-ups. */
const longestUrgentMs = 30_000;
/** Up to this part of a delay that has grown is taken off at random; each is then up to the second part longer. */
const [urgentJitter, repeatJitter] = [0.5, 0.2];

/**
 * Runs `action` soon after it is started, then after `firstMs`, and ever less often, until it is stopped. Delays are
 * random, so that many gateways do not act in step.
 */
function repeat(action: () => void, firstMs: number): { start(): void; stop(): void; close(): void } {
  const backoff = { baseMs: firstMs, maxMs: Math.max(firstMs, longestUrgentMs), jitter: urgentJitter };
  let cancel: (() => void) | undefined;
  let isClosed = false;
  const run = (runs: number): void => {
    const delayMs = withJitter(backoffMs(runs, backoff), repeatJitter);
    cancel = systemClock.after(delayMs, () => run(runs + 1));
    action();
  };
  const stop = (): void => {
    cancel?.();
    cancel = undefined;
  };
  return {
    start() {
      if (!cancel && !isClosed) cancel = systemClock.after(Math.random() * urgentSpreadMs, () => run(1));
    },
    stop,
    close() {
      isClosed = true;
      stop();
    },
  };
}

/** Throws if an endpoint is the gateway itself, by the addresses that are known so far. The proxy never dials it. */
function rejectSelf(
  endpoints: ReadonlyMap<Endpoint, readonly Address[]>,
  listen: readonly Address[],
  listening: readonly Address[],
): void {
  for (const [endpoint, targets] of endpoints) {
    const loop = targets.find(target => isSelfDial(target, listening));
    if (!loop) continue;
    const resolved = loop.host === endpoint.host ? "" : ` (${formatAddress(loop)})`;
    throw new GatewayError(
      "self-loop",
      `endpoint ${formatAddress(endpoint)}${resolved} is the gateway itself, which listens on ${listen.map(formatAddress).join(", ")}`,
    );
  }
}

async function resolveAll({ host, port }: Address, dialer: Dialer): Promise<readonly Address[]> {
  return (await dialer.resolve(host)).map(address => ({ host: address, port }));
}
