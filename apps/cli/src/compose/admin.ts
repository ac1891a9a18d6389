import { fileURLToPath } from "node:url";
import {
  type AdminActions,
  type AdminGateway,
  type AdminServer,
  type ConnectionsAnswer,
  type ConnectionView,
  createAdminServer,
  createRecorder,
  createTotals,
  type HealthView,
  type Recorder,
  renderMetrics,
  type Totals,
} from "@gw/admin";
import { checkDefaults, probeDefaults } from "@gw/health";
import {
  type Endpoint,
  formatAddress,
  GatewayError,
  type HealthObserver,
  type Observer,
  quote,
  systemClock,
} from "@gw/interface";
import { type EndpointPool, type PoolRecording, recordDecisions } from "@gw/selector";
import type { OpenConnection, TcpProxy } from "@gw/tcpproxy";
import { type AdminAddress, formatAdminAddress, isLocalAddress } from "../flags/admin.js";
import { healthChoices } from "../flags/health.js";
import type { OptionInForce } from "../flags/options-in-force.js";
import type { StartFlags } from "../flags/table.js";
import type { EventLog } from "../log/event-log.js";
import { logLevels } from "../log/levels.js";
import type { Health } from "./health.js";
import { type HoldKind, type Holds, heldAs } from "./holds.js";
import { watchProcess } from "./process-view.js";
import { buildStatus, type StatusSources } from "./status.js";
import { StatusTracker } from "./status-tracker.js";

/** What watches a gateway from its start on, before there is a server that shows it. */
export interface AdminWatch {
  /** Each is to be notified of all that happens. */
  readonly observers: readonly (Observer & HealthObserver)[];
  readonly recorder: Recorder;
  /** What `gw replay` runs. */
  readonly recording: PoolRecording;
  readonly totals: Totals;
  readonly tracker: StatusTracker;
}

export function watchGateway(): AdminWatch {
  const recording = recordDecisions();
  const recorder = createRecorder(systemClock, Date.now, () => recording.record());
  const [totals, tracker] = [createTotals(), new StatusTracker()];
  const observers = [recorder.observer, totals.observer, tracker.observer];
  return { observers, recorder, recording, totals, tracker };
}

/** The parts of a gateway that its admin server shows and changes. */
export interface AdminContext {
  readonly flags: StartFlags;
  readonly options: readonly OptionInForce[];
  readonly version: string;
  readonly log: EventLog;
  readonly watch: AdminWatch;
  readonly pool: EndpointPool;
  readonly proxy: TcpProxy;
  readonly holds: Holds;
  readonly health: Health;
  readonly relay: string;
  readonly selector: string;
  readonly stallTimeoutMs: number;
  /** Why there are no health checks although there should be. */
  readonly healthError: () => GatewayError | undefined;
  readonly reload: () => void;
}

/** An admin server of a gateway. */
export interface GatewayAdmin extends AdminServer {
  /** The gateway has begun to drain. */
  draining(): void;
}

/**
 * Serves status, metrics, events and actions of a gateway at `address`.
 *
 * @throws {GatewayError} why it cannot listen there
 */
export async function startAdmin(address: AdminAddress, context: AdminContext): Promise<GatewayAdmin> {
  const { log, watch, proxy, flags } = context;
  const { recorder, totals } = watch;
  const processWatch = watchProcess();
  const startedAt = new Date(Date.now() - process.uptime() * 1_000).toISOString();
  let isDraining = false;
  const sources: StatusSources = {
    ...context,
    totals,
    tracker: watch.tracker,
    watch: processWatch,
    health: () => healthView(context),
    gateway: () => ({
      version: context.version,
      node: process.versions.node,
      pid: process.pid,
      state: isDraining ? "draining" : proxy.addresses.length > 0 ? "serving" : "starting",
      startedAt,
      relay: context.relay,
      ...(flags.relayThreads !== undefined && { relayThreads: flags.relayThreads }),
      selector: context.selector,
      actions: flags.adminActions === true,
      logLevel: log.level,
    }),
  };
  const gateway: AdminGateway = {
    status: () => buildStatus(sources),
    connections: query => listConnections(proxy, query),
    events: query => recorder.events(query),
    onEvent: listener => recorder.onEvent(listener),
    metrics: format =>
      renderMetrics(
        { status: buildStatus(sources), totals, eventsRecorded: recorder.events().events.at(-1)?.id ?? 0 },
        format,
      ),
    ...(flags.adminActions && { actions: createActions(context) }),
  };
  try {
    const server = await createAdminServer({
      gateway,
      listen: [address],
      page: fileURLToPath(new URL("./page/", import.meta.url)),
      onError: error => log.write("admin server failed", { reason: error.detail }),
    });
    for (const listen of server.addresses) log.write("admin server ready", { address: listen });
    if (!isLocalAddress(address))
      log.write("admin server exposed", {
        address: formatAdminAddress(address),
        reason: "other machines may reach it, and it asks for no password",
      });
    return {
      addresses: server.addresses,
      draining() {
        isDraining = true;
      },
      close() {
        processWatch.stop();
        return server.close();
      },
    };
  } catch (error) {
    processWatch.stop();
    throw error;
  }
}

function healthView({ flags, healthError }: AdminContext): HealthView {
  const error = healthError();
  const type = flags.healthCheck ?? healthChoices[0];
  return {
    type,
    available: type !== "off" && !error,
    ...(error && { reason: error.detail }),
    intervalMs: flags.healthIntervalMs ?? checkDefaults.intervalMs,
    timeoutMs: flags.healthTimeoutMs ?? probeDefaults.timeoutMs,
  };
}

/** A page of open connections. */
function listConnections(
  proxy: TcpProxy,
  { after, limit, endpoint }: Parameters<AdminGateway["connections"]>[0],
): ConnectionsAnswer {
  const connections: ConnectionView[] = [];
  let next: number | undefined;
  for (const one of proxy.openConnections({ after })) {
    if (endpoint !== undefined && (!one.endpoint || formatAddress(one.endpoint) !== endpoint)) continue;
    if (connections.length === limit) {
      next = connections.at(-1)?.connection;
      break;
    }
    connections.push(viewOf(one));
  }
  return { schema: 1, connections, total: proxy.connections, ...(next !== undefined && { next }) };
}

function viewOf(one: OpenConnection): ConnectionView {
  const { waitingMs, answeredMs, endpoint } = one;
  return {
    connection: one.id,
    client: formatAddress(one.client),
    listener: one.listener,
    ...(endpoint && { endpoint: formatAddress(endpoint) }),
    state: one.state,
    ageMs: Math.round(one.ageMs),
    bytesFromClient: one.bytesFromClient,
    bytesFromBackend: one.bytesFromBackend,
    ...(answeredMs !== undefined && { idleMs: Math.round(answeredMs) }),
    ...(waitingMs !== undefined && { waitingSince: new Date(Date.now() - waitingMs).toISOString() }),
  };
}

function createActions({ log, watch, pool, holds, health, reload }: AdminContext): AdminActions {
  const { recorder } = watch;
  const find = (name: string): Endpoint => {
    const endpoint = holds.find(name);
    if (endpoint) return endpoint;
    throw new GatewayError("invalid-endpoint", `${quote(name)} is not an endpoint of this gateway`);
  };
  const hold = (name: string, kind: HoldKind, force: boolean): void => {
    const endpoint = find(name);
    const address = formatAddress(endpoint);
    const statuses = pool.inspect();
    const others = statuses.filter(one => formatAddress(one.endpoint) !== address);
    if (!force && !others.some(one => one.state === "up"))
      throw new GatewayError(
        "refused",
        `no endpoint besides ${address} is up; --force (or force=true) does it all the same`,
      );
    holds.hold(endpoint, kind, statuses.find(one => formatAddress(one.endpoint) === address)?.facts);
    const event = kind === "drained" ? "endpoint drained" : "endpoint marked down";
    const reason = "an operator asked for it";
    log.write(event, { endpoint: address, reason });
    recorder.record({
      event,
      endpoint: address,
      reason,
      text: `An operator has ${heldAs[kind]} ${address}.`,
    });
  };
  return {
    drain: (name, { force }) => hold(name, "drained", force),
    markDown: (name, { force }) => hold(name, "down", force),
    undrain(name) {
      const address = formatAddress(find(name));
      if (!holds.release(find(name)))
        throw new GatewayError("refused", `${address} is neither drained nor marked down by an operator`);
      const reason = "an operator asked for it";
      log.write("endpoint taken back", { endpoint: address, reason });
      const text = `An operator has taken back ${address}.`;
      recorder.record({ event: "endpoint taken back", endpoint: address, reason, text });
    },
    async check(name, signal) {
      try {
        await health.retry(find(name), signal);
        return undefined;
      } catch (error) {
        const { code, detail } = GatewayError.from(error, "check");
        if (code === "invalid-endpoint" || signal.aborted) throw error;
        return detail;
      }
    },
    refresh() {
      const reason = "an operator asked for it";
      log.write("reloading", { reason });
      recorder.record({ event: "reloading", reason, text: "An operator had everything looked up again." });
      reload();
    },
    setLogLevel(level) {
      const known = logLevels.find(one => one === level);
      if (known === undefined)
        throw new GatewayError("invalid-option", `the log level must be one of ${logLevels.join(", ")}`);
      log.level = known;
      log.write("log level changed", { newLevel: known, reason: "an operator asked for it" });
      const text = `An operator has set the log level to ${known}.`;
      recorder.record({ event: "log level changed", data: { level: known }, text });
    },
  };
}
