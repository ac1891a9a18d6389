import { parseEndpoints, staticEndpoints } from "@gw/discovery";
import { formatAddress } from "@gw/interface";
import type { Logger } from "pino";
import { formatDuration } from "./duration.js";
import { startGateway } from "./gateway.js";
import { builtInSelectors, loadSelector } from "./load-selector.js";
import { createLogger } from "./log.js";
import { logObserver } from "./log-observer.js";
import { refuseWhatComesLater, type StartFlags, startDefaults, startVariables } from "./start-flags.js";
import { type StopSignals, stopSignals } from "./stop-signals.js";
import { notifySystemd } from "./systemd.js";

/**
 * `gw start`: runs the gateway until it is told to stop. Resolves when it has stopped as requested.
 *
 * @throws {GatewayError} when it cannot start; then nothing was started
 */
export async function start(flags: StartFlags): Promise<void> {
  refuseWhatComesLater(flags);
  const log = await createLogger(
    flags.logLevel ?? startDefaults.logLevel,
    flags.logFormat ?? (process.stderr.isTTY ? "text" : "json"),
  );
  const stop = stopSignals();
  warnOfUnknownVariables(log);
  const { endpoints, duplicates } = parseEndpoints((flags.endpoints ?? startDefaults.endpoints).join(","));
  for (const endpoint of duplicates) log.warn({ endpoint }, "endpoint given more than once: the first holds");

  const selectorName = flags.selector ?? Object.keys(builtInSelectors)[0] ?? "";
  const gateway = await startGateway(
    {
      listen: flags.listenAddr ?? startDefaults.listen,
      discovery: staticEndpoints(endpoints),
      selector: await loadSelector(selectorName, process.cwd()),
      retryDelayMs: flags.retryDelay,
      connectTimeoutMs: flags.connectTimeout,
      maxConnections: flags.maxConnections,
      observer: logObserver(log),
      onUnresolved: (endpoint, error) => {
        log.warn({ endpoint: formatAddress(endpoint), why: error.detail }, "endpoint cannot be resolved yet");
      },
    },
    stop.drain,
  ).catch((error: unknown) => {
    if (stop.drain.aborted) return undefined;
    throw error;
  });
  if (!gateway) return;
  const { proxy } = gateway;
  if (flags.maxConnections !== undefined && flags.maxConnections > proxy.maxConnections)
    log.warn(
      { asked: flags.maxConnections, limit: proxy.maxConnections },
      "ulimit -n allows fewer connections",
    );
  const systemdFailed = (why: string): void => log.warn({ why }, "cannot notify systemd");
  log.info(
    {
      endpoints: gateway.endpoints.map(formatAddress),
      listen: proxy.addresses.map(formatAddress),
      selector: selectorName,
      ...(Number.isFinite(proxy.maxConnections) && { maxConnections: proxy.maxConnections }),
    },
    "ready to proxy client requests",
  );
  notifySystemd("READY=1", systemdFailed);

  await aborted(stop.drain);
  notifySystemd("STOPPING=1", systemdFailed);
  const graceMs = flags.shutdownGrace ?? startDefaults.shutdownGraceMs;
  const closed = drained(gateway, graceMs, stop);
  log.info(
    { signal: stop.drain.reason, connections: proxy.connections, grace: formatDuration(graceMs) },
    "draining: no new clients, waiting for open connections",
  );
  log.info(await closed, "stopped");
}

/** Ends when all connections have, by themselves, by the grace, or by a second signal. */
async function drained(
  gateway: { close(options: { readonly graceMs: number }): Promise<{ readonly cut: number }> },
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

function warnOfUnknownVariables(log: Logger): void {
  const known = startVariables();
  for (const variable of Object.keys(process.env))
    if (variable.startsWith("GW_") && !known.includes(variable))
      log.warn({ variable, known }, "environment variable is not one of gw's");
}
