import { formatAddress, GatewayError, messageOf, systemClock } from "@gw/interface";
import { keepAliveMs } from "@gw/tcpproxy";
import type { Logger } from "pino";
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
import { openLog } from "../log/log.js";
import { logObserver, namesOf, sometimes } from "../log/observer.js";
import { logProcessEvents } from "../log/process-events.js";
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
  const { log, flushed } = await openLog(flags.logLevel ?? startDefaults.logLevel, flags.logFormat);
  logProcessEvents(log, flushed);
  // What others' code (a selector) leaves behind must not end the service.
  process.on("unhandledRejection", error => log.error({ why: messageOf(error) }, "unexpected"));
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

/** How many names that cannot be resolved, or can be again, are logged in a minute. */
const mostNames = 100;

/** A gateway that runs, and what can be said to it. */
interface Running {
  readonly gateway: Gateway;
  readonly sources: Sources;
  readonly selector: string;
  readonly relay: string;
}

async function assemble(flags: StartFlags, log: Logger, signal: AbortSignal): Promise<Running> {
  refusePoolContradictions(flags);
  const observer = logObserver(log);
  const selector = flags.selector ?? defaultSelector;
  const policy = await loadSelector(selector);
  if (flags.rebalance !== undefined && flags.rebalance > 0) refuseInVain(policy);
  const relay = await chooseRelay(flags.relay, {
    threads: flags.relayThreads,
    onFallback: why => log.warn({ relay: "js", why }, "the native relay cannot be used"),
  });
  const made: { sources?: Sources } = {};
  // DNS can name as many endpoints as it likes.
  const [unresolved, resolved] = [sometimes(systemClock, mostNames), sometimes(systemClock, mostNames)];
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
        const onWarning = (why: string): void => log.warn({ why }, "credentials");
        const healthChecked = flags.healthCheck !== "off" && flags.healthCheck !== "tcp";
        made.sources = await createSources(flags, { observer, dial, onWarning, healthChecked });
        for (const endpoint of made.sources.duplicates)
          log.warn({ endpoint }, "endpoint given more than once: the first holds");
        return made.sources;
      },
      health: (dial, { serverNames = [] }) =>
        createHealth(flags, {
          dial,
          serverNames,
          tls: () => made.sources?.tls ?? {},
          observer,
          onFailure: error => log.error({ why: error.detail }, "health checks do not work"),
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
      onUnresolved: (endpoint, error) => {
        unresolved(before =>
          log.warn(
            { endpoint: formatAddress(endpoint), why: error.detail, ...before },
            "endpoint cannot be resolved yet",
          ),
        );
      },
      onResolved: endpoint => {
        resolved(before => log.info({ endpoint: formatAddress(endpoint), ...before }, "endpoint resolved"));
      },
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
  log: Logger,
  stop: StopSignals,
  hangups: Hangups,
): Promise<void> {
  const { proxy } = gateway;
  if (flags.maxConnections !== undefined && flags.maxConnections > proxy.maxConnections)
    log.warn(
      { asked: flags.maxConnections, limit: proxy.maxConnections },
      "ulimit -n allows fewer connections",
    );
  warnOfOpenCredentials(flags, log);
  warnOfShortUserTimeout(flags, log);
  log.info(
    {
      endpoints: namesOf(gateway.endpoints),
      listen: proxy.addresses.map(formatAddress),
      selector,
      relay,
      ...(Number.isFinite(proxy.maxConnections) && { maxConnections: proxy.maxConnections }),
    },
    "ready to proxy client requests",
  );
  const manager = serviceManager(process.env, why => log.warn({ why }, "cannot notify systemd"));
  const status = `serving on ${proxy.addresses.map(formatAddress).join(", ")}`;
  manager.ready(status);
  hangups.reload(() => {
    manager.reloading();
    try {
      sources.reload();
    } catch (error) {
      log.error({ why: GatewayError.from(error, "reload").detail }, "what was read before holds");
    }
    gateway.refresh();
    manager.ready(status);
  });
  sources.followCertificates(
    {
      onUsed() {
        log.info("certificate files changed");
        gateway.refresh();
      },
      onProblem: error =>
        log.warn({ why: error.detail }, "certificate files cannot be used: the old ones hold"),
    },
    stop.drain,
  );

  await aborted(stop.drain);
  manager.stopping("draining");
  const graceMs = flags.shutdownGraceMs ?? startDefaults.shutdownGraceMs;
  const closed = drained(gateway, graceMs, stop);
  log.info(
    { signal: stop.drain.reason, connections: proxy.connections, grace: formatDuration(graceMs) },
    "draining: no new clients, waiting for open connections",
  );
  log.info(await closed, "stopped");
}

/** What SIGHUP asks for. */
interface Hangups {
  /** Sets what does it; at once, if it was asked for before. */
  reload(reload: () => void): void;
}

function followHangups(log: Logger): Hangups {
  let asked = false;
  let reload = (): void => {
    asked = true;
  };
  onHangup(signal => {
    log.info({ signal }, "looking everything up again");
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
function warnOfShortUserTimeout(flags: StartFlags, log: Logger): void {
  const { userTimeoutMs = 0, keepAliveDelayMs, keepAliveIntervalMs, keepAliveProbes } = flags;
  const takesMs = keepAliveMs({ keepAliveDelayMs, keepAliveIntervalMs, keepAliveProbes });
  if (userTimeoutMs > 0 && userTimeoutMs < takesMs)
    log.warn(
      { userTimeout: formatDuration(userTimeoutMs), keepalive: formatDuration(takesMs) },
      "--user-timeout is shorter than keepalive takes: silent peers are given up after fewer probes",
    );
}

function warnOfOpenCredentials(flags: StartFlags, log: Logger): void {
  const given = flags.etcdUser ?? flags.etcdUserFile ?? flags.etcdToken ?? flags.etcdTokenFile;
  if (given !== undefined && flags.trustedCaFile === undefined)
    log.warn(
      "without --trusted-ca-file, etcd credentials go to whoever answers, over plain text where endpoints have no TLS",
    );
}

function warnOfUnknownVariables(log: Logger): void {
  const unknown = unknownVariables(process.env, startVariables());
  if (!unknown) return;
  const { named, count } = unknown;
  const more = count - named.length;
  log.warn(
    { variables: named, ...(more > 0 && { more }) },
    "environment variables that are not gw's are ignored",
  );
}
