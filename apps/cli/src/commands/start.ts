import { formatAddress, GatewayError, messageOf } from "@gw/interface";
import { keepAliveMs } from "@gw/tcpproxy";
import { type Gateway, startGateway } from "../compose/gateway.js";
import { createHealth } from "../compose/health.js";
import { chooseRelay } from "../compose/relay.js";
import { defaultSelector, loadSelector } from "../compose/selector.js";
import { createSources, type Sources } from "../compose/sources.js";
import { type StartFlags, startVariables } from "../flags/commands.js";
import { defaultListen, startDefaults } from "../flags/connections.js";
import { refuseInVain, refusePoolContradictions } from "../flags/contradictions.js";
import { formatDuration } from "../flags/duration.js";
import { unknownVariables } from "../flags/environment.js";
import { type EventLog, openEventLog } from "../log/event-log.js";
import { logObserver, namesOf } from "../log/observer.js";
import { onHangup } from "../process/events.js";
import { serviceManager } from "../process/service-manager.js";
import { type StopSignals, stopSignals } from "../process/stop-signals.js";

/**
 * `gw start`: runs the gateway until it is told to stop. Resolves when it has stopped as requested.
 *
 * @throws {GatewayError} when it cannot start; then nothing was started
 */
export async function start(flags: StartFlags): Promise<void> {
  const stop = stopSignals({ hangup: false });
  const { log, flushed } = await openEventLog(flags.logLevel ?? startDefaults.logLevel, flags.logFormat);
  // What others' code (a selector) leaves behind must not end the service.
  process.on("unhandledRejection", error => log.write("unexpected error", { why: messageOf(error) }));
  try {
    warnOfUnknownVariables(log);
    const hangups = followHangups(log);
    const starting = assemble(flags, log, stop.drain);
    const running = await Promise.race([starting, aborted(stop.drain)]);
    if (running) await serve(running, flags, log, stop, hangups);
  } finally {
    await flushed();
  }
}

/** A gateway that runs, and what can be said to it. */
interface Running {
  readonly gateway: Gateway;
  readonly sources: Sources;
  readonly selector: string;
  readonly relay: string;
}

async function assemble(flags: StartFlags, log: EventLog, signal: AbortSignal): Promise<Running> {
  refusePoolContradictions(flags);
  const observer = logObserver(log);
  const selector = flags.selector ?? defaultSelector;
  const policy = await loadSelector(selector);
  if (flags.rebalance !== undefined && flags.rebalance > 0) refuseInVain(policy);
  const relay = await chooseRelay(flags.relay, {
    threads: flags.relayThreads,
    onFallback: why => log.write("relay fallback", { relay: "js", why }),
  });
  const made: { sources?: Sources } = {};
  const gateway = await startGateway(
    {
      relay,
      connections: {
        idleTimeoutMs: flags.idleTimeoutMs,
        halfCloseTimeoutMs: flags.halfCloseTimeoutMs,
        writeTimeoutMs: flags.writeTimeoutMs,
        keepAliveDelayMs: flags.keepAliveDelayMs,
        keepAliveIntervalMs: flags.keepAliveIntervalMs,
        keepAliveProbes: flags.keepAliveProbes,
        userTimeoutMs: flags.userTimeoutMs,
      },
      listen: flags.listen ?? defaultListen,
      sources: async dial => {
        const healthChecked = flags.healthCheck !== "off" && flags.healthCheck !== "tcp";
        made.sources = await createSources(flags, {
          observer,
          dial,
          warn: (event, why) => log.write(event, { why }),
          healthChecked,
        });
        for (const endpoint of made.sources.duplicates) log.write("endpoint duplicated", { endpoint });
        return made.sources;
      },
      health: (dial, { serverNames = [] }) =>
        createHealth(flags, {
          dial,
          serverNames,
          tls: () => made.sources?.tls ?? {},
          observer,
          onFailure: error => log.write("health checks unavailable", { why: error.detail }),
        }),
      pool: {
        selector: policy.selector,
        retryDelayMs: flags.retryDelayMs,
        maxRetryDelayMs: flags.maxRetryDelayMs,
        panicThreshold: flags.panicThreshold,
        onRemoved: flags.onRemoved,
        onUnhealthy: flags.onUnhealthy,
        drainTimeoutMs: flags.drainTimeoutMs,
        maxConnectionAgeMs: flags.maxConnectionAgeMs,
        rebalance: flags.rebalance,
        weighted: policy.weighted,
      },
      connectTimeoutMs: flags.connectTimeoutMs,
      maxConnections: flags.maxConnections,
      maxAttempts: flags.maxConnectAttempts,
      observer,
      onUnresolved: (endpoint, error) =>
        log.write("endpoint unresolved", { endpoint: formatAddress(endpoint), why: error.detail }),
      onResolved: endpoint => log.write("endpoint resolved", { endpoint: formatAddress(endpoint) }),
      urgentRefreshMs: flags.discoveryMinRefreshMs,
    },
    signal,
  );
  return { gateway, sources: made.sources as Sources, selector, relay: relay.name };
}

/** From ready to stopped. */
async function serve(
  { gateway, sources, selector, relay }: Running,
  flags: StartFlags,
  log: EventLog,
  stop: StopSignals,
  hangups: Hangups,
): Promise<void> {
  const { proxy } = gateway;
  if (flags.maxConnections !== undefined && flags.maxConnections > proxy.maxConnections)
    log.write("connection limit lowered", {
      requested: flags.maxConnections,
      limit: proxy.maxConnections,
      why: "ulimit -n allows fewer connections than --max-connections",
    });
  warnOfOpenCredentials(flags, log);
  warnOfShortUserTimeout(flags, log);
  log.write("ready to proxy client requests", {
    endpoints: namesOf(gateway.endpoints),
    listen: proxy.addresses.map(formatAddress),
    selector,
    relay,
    ...(Number.isFinite(proxy.maxConnections) && { maxConnections: proxy.maxConnections }),
  });
  const manager = serviceManager(process.env, why => log.write("service manager unreachable", { why }));
  const status = `serving on ${proxy.addresses.map(formatAddress).join(", ")}`;
  manager.ready(status);
  hangups.reload(() => {
    manager.reloading();
    try {
      sources.reload();
    } catch (error) {
      log.write("reload failed", { why: GatewayError.from(error, "reload").detail });
    }
    gateway.refresh();
    manager.ready(status);
  });
  sources.followCertificates(
    {
      onUsed() {
        log.write("certificates reloaded", {});
        gateway.refresh();
      },
      onProblem: error => log.write("certificates invalid", { why: error.detail }),
    },
    stop.drain,
  );

  await aborted(stop.drain);
  manager.stopping("draining");
  const graceMs = flags.shutdownGraceMs ?? startDefaults.shutdownGraceMs;
  const closed = drained(gateway, graceMs, stop);
  log.write("draining", {
    signal: stop.drain.reason,
    connections: proxy.connections,
    grace: formatDuration(graceMs),
  });
  log.write("stopped", await closed);
}

/** What SIGHUP asks for. */
interface Hangups {
  /** Sets what does it; at once, if it was asked for before. */
  reload(reload: () => void): void;
}

function followHangups(log: EventLog): Hangups {
  let asked = false;
  let reload = (): void => {
    asked = true;
  };
  onHangup(signal => {
    log.write("reloading", { signal });
    reload();
  });
  return {
    reload(next) {
      reload = next;
      if (asked) next();
    },
  };
}

/** Ends when all connections have, by themselves, by the grace, or by a second signal. */
async function drained(
  gateway: Gateway,
  graceMs: number,
  { atOnce }: StopSignals,
): Promise<{ readonly cut: number }> {
  atOnce.addEventListener("abort", () => void gateway.close({ graceMs: 0 }));
  return gateway.close({ graceMs });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** TCP_USER_TIMEOUT takes precedence over the number of keepalive probes: tcp(7). */
function warnOfShortUserTimeout(flags: StartFlags, log: EventLog): void {
  const { userTimeoutMs = 0, keepAliveDelayMs, keepAliveIntervalMs, keepAliveProbes } = flags;
  const takesMs = keepAliveMs({ keepAliveDelayMs, keepAliveIntervalMs, keepAliveProbes });
  if (userTimeoutMs > 0 && userTimeoutMs < takesMs)
    log.write("user timeout too short", {
      userTimeout: formatDuration(userTimeoutMs),
      keepalive: formatDuration(takesMs),
      why: "--user-timeout is shorter than keepalive takes, so silent peers are reset after fewer probes",
    });
}

function warnOfOpenCredentials(flags: StartFlags, log: EventLog): void {
  const given = flags.etcdUser ?? flags.etcdUserFile ?? flags.etcdToken ?? flags.etcdTokenFile;
  if (given !== undefined && flags.trustedCaFile === undefined)
    log.write("credentials exposed", {
      why: "without --trusted-ca-file, etcd credentials are sent to any server that answers, in plain text where endpoints have no TLS",
    });
}

function warnOfUnknownVariables(log: EventLog): void {
  const unknown = unknownVariables(process.env, startVariables());
  if (!unknown) return;
  const { named, count } = unknown;
  const more = count - named.length;
  log.write("unknown environment variables", { variables: named, ...(more > 0 && { more }) });
}
