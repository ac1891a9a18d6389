import { aborted, formatAddress, messageOf } from "@gw/interface";
import { keepAliveMs } from "@gw/tcpproxy";
import type { Command } from "commander";
import { type AccessLog, openAccessLog } from "../access-log/access-log.js";
import { type Gateway, startGateway } from "../compose/gateway.js";
import { defaultSelector } from "../compose/selector.js";
import { startDefaults } from "../flags/connections.js";
import { formatDuration } from "../flags/duration.js";
import { environmentHelp, unknownVariables } from "../flags/environment.js";
import { type OptionInForce, optionsInForce } from "../flags/options-in-force.js";
import { declareFlags, type StartFlags, startFlags, startVariables, valuesOf } from "../flags/table.js";
import { combineObservers } from "../log/combine.js";
import { type EventLog, openEventLog } from "../log/event-log.js";
import { logObserver, namesOf } from "../log/observer.js";
import { keepCompiledCode } from "../process/code-cache.js";
import { onHangup, onReopen } from "../process/events.js";
import { serviceManager } from "../process/service-manager.js";
import { type StopSignals, stopSignals } from "../process/stop-signals.js";
import { version } from "../process/version.js";

/** Adds `gw start`. Its flags may also be given before `start`, as with `etcd gateway`. */
export function addStart(gw: Command): void {
  const command = gw
    .command("start")
    .description("run the gateway; the default command")
    .usage("[flags]")
    .addHelpText("after", `\n${environmentHelp}`)
    .helpOption("-h, --help", "print this help");
  declareFlags(command, startFlags);
  command.action(() =>
    start(valuesOf(gw, command, startFlags), () => optionsInForce(gw, command, startFlags)),
  );
}

/**
 * `gw start`: runs the gateway until a signal ends it. Resolves when it has stopped.
 *
 * @throws {GatewayError} when it cannot start; then nothing is left running
 */
export async function start(flags: StartFlags, options: () => readonly OptionInForce[]): Promise<void> {
  const stop = stopSignals({ hangup: false });
  const { log, flushed } = openEventLog(flags.logLevel ?? startDefaults.logLevel, flags.logFormat);
  // A promise that code of others (a selector) does not handle must not end the service.
  process.on("unhandledRejection", error => log.write("unexpected error", { reason: messageOf(error) }));
  let accessLog: AccessLog | undefined;
  try {
    warnOfUnknownVariables(log);
    accessLog = openAccess(flags, log);
    const hangups = followHangups(log, accessLog);
    const own = logObserver(log, { levelMayChange: flags.adminActions });
    const starting = startGateway(
      flags,
      {
        log,
        observer: accessLog ? combineObservers(own, accessLog.observer) : own,
        program: { version: version(), options },
      },
      stop.drain,
    );
    const gateway = await Promise.race([starting, aborted(stop.drain)]);
    if (gateway) await serve(gateway, flags, log, stop, hangups);
  } finally {
    await accessLog?.close();
    await flushed();
  }
}

/** Opens the access log if there is to be one. SIGUSR1 opens it again, and so does SIGHUP. */
function openAccess(
  { accessLog: file, logFormat: format }: StartFlags,
  log: EventLog,
): AccessLog | undefined {
  if (file === undefined) return undefined;
  const accessLog = openAccessLog(file, { format, log });
  onReopen(accessLog.reopen);
  return accessLog;
}

/** From ready to stopped. */
async function serve(
  gateway: Gateway,
  flags: StartFlags,
  log: EventLog,
  stop: StopSignals,
  hangups: Hangups,
): Promise<void> {
  const { proxy } = gateway;
  warnOfFlags(flags, proxy.maxConnections, log);
  const listen = proxy.addresses.map(formatAddress);
  log.write("ready to proxy client requests", {
    endpoints: namesOf(gateway.endpoints),
    listen,
    selector: flags.selector ?? defaultSelector,
    relay: gateway.relay,
    ...(Number.isFinite(proxy.maxConnections) && { maxConnections: proxy.maxConnections }),
  });
  void keepCompiledCode();
  const manager = serviceManager(process.env, why =>
    log.write("service manager unreachable", { reason: why }),
  );
  const status = `serving on ${listen.join(", ")}`;
  manager.ready(status);
  hangups.onReload(() => {
    manager.reloading();
    gateway.reload();
    manager.ready(status);
  });

  await aborted(stop.drain);
  manager.stopping("draining");
  const graceMs = flags.shutdownGraceMs ?? startDefaults.shutdownGraceMs;
  stop.atOnce.addEventListener("abort", () => void gateway.close({ graceMs: 0 }));
  const closed = gateway.close({ graceMs });
  log.write("draining", {
    signal: stop.drain.reason,
    connections: proxy.connections,
    grace: formatDuration(graceMs),
  });
  log.write("stopped", await closed);
}

/** Requests to reload, by SIGHUP. */
interface Hangups {
  /** Sets the action for them. One that came before is handled at once. */
  onReload(reload: () => void): void;
}

function followHangups(log: EventLog, accessLog: AccessLog | undefined): Hangups {
  let isPending = false;
  let reload = (): void => {
    isPending = true;
  };
  onHangup(signal => {
    log.write("reloading", { signal });
    accessLog?.reopen();
    reload();
  });
  return {
    onReload(next) {
      reload = next;
      if (isPending) next();
    },
  };
}

/** Logs what is unlikely to be meant. */
function warnOfFlags(flags: StartFlags, limit: number, log: EventLog): void {
  const {
    maxConnections = 0,
    userTimeoutMs = 0,
    keepAliveDelayMs,
    keepAliveIntervalMs,
    keepAliveProbes,
  } = flags;
  if (maxConnections > limit)
    log.write("connection limit lowered", {
      requested: maxConnections,
      limit,
      reason: "ulimit -n allows fewer connections than --max-connections",
    });
  const credentials = flags.etcdUser ?? flags.etcdUserFile ?? flags.etcdToken ?? flags.etcdTokenFile;
  if (credentials !== undefined && flags.trustedCaFile === undefined)
    log.write("credentials exposed", {
      reason:
        "without --trusted-ca-file, etcd credentials are sent to any server that answers, in plain text where endpoints have no TLS",
    });
  // TCP_USER_TIMEOUT takes precedence over the number of keepalive probes: tcp(7).
  const takesMs = keepAliveMs({ keepAliveDelayMs, keepAliveIntervalMs, keepAliveProbes });
  if (userTimeoutMs > 0 && userTimeoutMs < takesMs)
    log.write("user timeout too short", {
      userTimeout: formatDuration(userTimeoutMs),
      keepalive: formatDuration(takesMs),
      reason: "--user-timeout is shorter than keepalive takes, so silent peers are reset after fewer probes",
    });
}

function warnOfUnknownVariables(log: EventLog): void {
  const unknown = unknownVariables(process.env, startVariables());
  if (!unknown) return;
  const { named, count } = unknown;
  const more = count - named.length;
  log.write("unknown environment variables", { variables: named, ...(more > 0 && { more }) });
}
