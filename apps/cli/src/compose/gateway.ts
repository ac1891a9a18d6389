import type { Socket } from "node:net";
import {
  type Address,
  type Discovery,
  type Endpoint,
  formatAddress,
  GatewayError,
  type Observer,
  type Relay,
} from "@gw/interface";
import { createPool, type PoolOptions } from "@gw/selector";
import {
  createDialer,
  createProxy,
  type Dialer,
  isSelfDial,
  type Lookup,
  type ProxyOptions,
  type TcpProxy,
} from "@gw/tcpproxy";
import { createRefresher } from "../refresher.js";
import { refreshingWhenDown } from "../refreshing-when-down.js";
import type { Health } from "./health.js";
import { resolvable } from "./resolvable.js";

/** Connects to an endpoint as the gateway does. */
type Dial = (endpoint: Endpoint, signal: AbortSignal) => Promise<Socket>;

/** Where a gateway's endpoints come from. */
interface GatewaySources {
  readonly discovery: Discovery;
  /** @default that of the dialer */
  readonly lookup?: Lookup | undefined;
  /** Resolves when each of its sources has told something, rejects when one is misconfigured. @default at once */
  readonly settled?: Promise<void> | undefined;
  /** What an endpoint that was set aside has to pass besides a dial. */
  readonly check?: ((endpoint: Endpoint, signal: AbortSignal) => Promise<unknown>) | undefined;
  /** Forgets what DNS said. */
  readonly forget?: (() => void) | undefined;
  /** Names that a certificate may carry in place of the endpoint's host. @default none */
  readonly serverNames?: readonly string[] | undefined;
}

/** All that a gateway is made of. Undefined means the default of the package that owns the setting. */
export interface GatewaySettings {
  readonly relay?: Relay | undefined;
  /** Timeouts and keepalive of connections. */
  readonly connections?: Omit<ProxyOptions, "listen" | "pool">;
  readonly listen: readonly Address[];
  readonly sources: (dial: Dial) => GatewaySources | Promise<GatewaySources>;
  /** The policy, and what becomes of endpoints that fail and of their connections. */
  readonly pool?: Omit<PoolOptions, "observer" | "probe" | "onSuspicion">;
  /** Looks whether endpoints can serve. @default nobody does */
  readonly health?: (dial: Dial, sources: GatewaySources) => Promise<Health | undefined>;
  readonly connectTimeoutMs?: number | undefined;
  readonly maxConnections?: number | undefined;
  /** @default that of the proxy */
  readonly maxAttempts?: number | undefined;
  /** How often everything is looked up again while no endpoint is up, in milliseconds. @default 5000 */
  readonly urgentRefreshMs?: number | undefined;
  readonly observer: Observer;
  /** An endpoint's name has no address now; it is asked for again, and used when it has one. */
  readonly onUnresolved: (endpoint: Endpoint, error: GatewayError) => void;
  /** The name of an endpoint that had no address has one now. */
  readonly onResolved: (endpoint: Endpoint) => void;
}

/** A gateway that accepts clients. */
export interface Gateway {
  readonly proxy: TcpProxy;
  /** The endpoints that it started with. */
  readonly endpoints: readonly Endpoint[];
  /** Looks everything up again: all sources, and names at their next dial. */
  refresh(): void;
  /** See {@link TcpProxy.close}. */
  close(options: { readonly graceMs: number }): Promise<{ readonly cut: number }>;
}

/**
 * Puts the parts together and starts to listen, as soon as endpoints are known. Rejects, with nothing left
 * running, if the endpoints lead back to the gateway itself, if an address cannot be listened on, or when
 * `signal` is aborted.
 */
export async function startGateway(settings: GatewaySettings, signal: AbortSignal): Promise<Gateway> {
  const refresher = createRefresher();
  const watching = new AbortController();
  const dial: Dial = (endpoint, signal) => dialer.dial(endpoint, { signal });
  const sources = await settings.sources(dial);
  const { discovery, lookup, check, settled } = sources;
  const health = await settings.health?.(dial, sources);
  const observer = refreshingWhenDown(
    health?.watching(settings.observer) ?? settings.observer,
    () => {
      sources.forget?.();
      refresh();
    },
    watching.signal,
    settings.urgentRefreshMs,
  );
  const dialer = createDialer({ connectTimeoutMs: settings.connectTimeoutMs, lookup });
  const refresh = (): void => {
    dialer.forget();
    named.refresh();
    refresher.refresh();
  };
  const isAsked = health?.asksWhereClientsGo === true;
  const connection = isAsked ? undefined : connectionCheck(dial, dialer.connectTimeoutMs);
  const pool = createPool({
    ...settings.pool,
    observer,
    probe: async (endpoint, signal) => {
      if (check && endpoint.secure) await check(endpoint, signal);
      const verdict = await health?.rise(endpoint, signal);
      if (!check || !endpoint.secure) await connection?.(endpoint, signal);
      return verdict;
    },
    onSuspicion: endpoint => health?.suspect(endpoint),
  });
  const proxy = createProxy({
    ...settings.connections,
    relay: settings.relay,
    listen: settings.listen,
    pool,
    dialer,
    maxConnections: settings.maxConnections,
    maxAttempts: settings.maxAttempts,
    observer,
  });
  const named = resolvable({
    dialer,
    use: endpoints => pool.update(endpoints),
    onUnresolved: settings.onUnresolved,
    onResolved: settings.onResolved,
  });
  const stop = AbortSignal.any([watching.signal, signal]);
  const sets = discovery.watch({ signal: stop, onRefresh: refresher.onRefresh })[Symbol.asyncIterator]();
  const close: Gateway["close"] = options => {
    watching.abort();
    health?.close();
    named.close();
    pool.close();
    return proxy.close(options);
  };
  try {
    const first = await firstSet(sets, settled);
    named.update(first.value);
    const [known, ...listening] = await Promise.all([
      named.ready(),
      ...settings.listen.map(address => resolveAll(address, dialer)),
    ]);
    refuseLoops(known, settings.listen, listening.flat());
    signal.throwIfAborted();
    named.start();
    await proxy.listen();
    health?.start(pool);
    void follow(sets, named.update);
    const reload = (): void => {
      health?.reload();
      refresh();
    };
    return { proxy, endpoints: first.value, refresh: reload, close };
  } catch (error) {
    await close({ graceMs: 0 });
    throw error;
  }
}

async function follow(
  sets: AsyncIterator<readonly Endpoint[]>,
  update: (endpoints: readonly Endpoint[]) => void,
): Promise<void> {
  for (let next = await sets.next(); !next.done; next = await sets.next()) update(next.value);
}

/** How long the start waits for slow sources once there is something to serve from, in milliseconds. */
const settleMs = 3_000;

/** The first set, and what the slower sources add to it soon. Rejects if one of them is misconfigured. */
async function firstSet(
  sets: AsyncIterator<readonly Endpoint[]>,
  settled: Promise<void> = Promise.resolve(),
): Promise<IteratorYieldResult<readonly Endpoint[]>> {
  const failed = new Promise<never>((_, reject) => settled.catch(reject));
  const first = await Promise.race([sets.next(), failed]);
  if (first.done) throw new GatewayError("aborted", "stopped before any endpoint was known");
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>(resolve => {
    timer = setTimeout(resolve, settleMs);
  });
  await Promise.race([settled, patience]).finally(() => clearTimeout(timer));
  return first;
}

/** Refuses the gateway itself as an endpoint, by the addresses that are known so far. The proxy never dials it. */
function refuseLoops(
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

/** More than it takes to see that an accepted connection is not ended at once, in milliseconds. */
const watchedMs = 1_000;

/** Connects to an endpoint, as often as it is called; rejects if it does not accept, or ends the connection at once. */
function connectionCheck(
  dial: Dial,
  connectTimeoutMs: number,
): (endpoint: Endpoint, signal: AbortSignal) => Promise<void> {
  let loading: Promise<typeof import("@gw/health")> | undefined;
  const load = (): Promise<typeof import("@gw/health")> => {
    loading ??= import("@gw/health");
    return loading;
  };
  // Soon, since later there may be no descriptor left; but the first clients come first. Who needs it is told of errors.
  setTimeout(() => load().catch(() => {}), 100).unref();
  return async (endpoint, signal) => {
    const { tcpProbe } = await load();
    const { error } = await tcpProbe({ dial, timeoutMs: connectTimeoutMs + watchedMs })(endpoint, signal);
    if (error) throw error;
  };
}
