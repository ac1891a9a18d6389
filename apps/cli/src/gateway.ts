import type { Socket } from "node:net";
import {
  type Address,
  type Discovery,
  type Endpoint,
  formatAddress,
  GatewayError,
  type Observer,
  type Selector,
} from "@gw/interface";
import { createPool, type OnRemoved } from "@gw/selector";
import { createDialer, createProxy, type Dialer, type Lookup, leadsBack, type TcpProxy } from "@gw/tcpproxy";
import { createRefresher } from "./refresher.js";

/** Connects to an endpoint as the gateway does. */
type Dial = (endpoint: Endpoint, signal: AbortSignal) => Promise<Socket>;

/** Where a gateway's endpoints come from. */
interface GatewaySources {
  readonly discovery: Discovery;
  /** @default that of the dialer */
  readonly lookup?: Lookup | undefined;
  /** What an endpoint that was set aside has to pass besides a dial. */
  readonly check?: ((endpoint: Endpoint, signal: AbortSignal) => Promise<unknown>) | undefined;
}

/** All that a gateway is made of. Undefined means the default of the package that owns the setting. */
export interface GatewaySettings {
  readonly listen: readonly Address[];
  readonly sources: (dial: Dial) => GatewaySources | Promise<GatewaySources>;
  readonly selector?: Selector | undefined;
  readonly retryDelayMs?: number | undefined;
  readonly connectTimeoutMs?: number | undefined;
  readonly maxConnections?: number | undefined;
  readonly onRemoved?: OnRemoved | undefined;
  readonly drainTimeoutMs?: number | undefined;
  readonly observer: Observer;
  /** An endpoint's name has no address now; it stays an endpoint and is tried when its turn comes. */
  readonly onUnresolved: (endpoint: Endpoint, error: GatewayError) => void;
  /** A source turned out to be misconfigured while others serve already. It is not read any more. */
  readonly onSourceLost?: (error: GatewayError) => void;
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
  const observer: Observer = {
    ...settings.observer,
    lastChance(event) {
      settings.observer.lastChance?.(event);
      refresher.refresh();
    },
  };
  const dial: Dial = (endpoint, signal) => dialer.dial(endpoint, { signal, listening: proxy.addresses });
  const { discovery, lookup, check } = await settings.sources(dial);
  const dialer = createDialer({ connectTimeoutMs: settings.connectTimeoutMs, lookup });
  const pool = createPool({
    selector: settings.selector,
    retryDelayMs: settings.retryDelayMs,
    onRemoved: settings.onRemoved,
    drainTimeoutMs: settings.drainTimeoutMs,
    observer,
    probe: async (endpoint, signal) => {
      if (check && endpoint.secure) await check(endpoint, signal);
      else (await dial(endpoint, signal)).destroy();
    },
  });
  const proxy = createProxy({
    listen: settings.listen,
    pool,
    dialer,
    maxConnections: settings.maxConnections,
    observer,
  });
  const watching = new AbortController();
  const stop = AbortSignal.any([watching.signal, signal]);
  const sets = discovery.watch({ signal: stop, onRefresh: refresher.onRefresh })[Symbol.asyncIterator]();
  const close: Gateway["close"] = options => {
    watching.abort();
    pool.close();
    return proxy.close(options);
  };
  try {
    const first = await sets.next();
    if (first.done) throw new GatewayError("aborted", "stopped before any endpoint was known");
    await refuseLoops(first.value, settings, dialer);
    signal.throwIfAborted();
    pool.update(first.value);
    await proxy.listen();
    void follow(sets, endpoints => pool.update(endpoints), settings.onSourceLost);
    const refresh = (): void => {
      dialer.forget();
      refresher.refresh();
    };
    return { proxy, endpoints: first.value, refresh, close };
  } catch (error) {
    await close({ graceMs: 0 });
    throw error;
  }
}

async function follow(
  sets: AsyncIterator<readonly Endpoint[]>,
  update: (endpoints: readonly Endpoint[]) => void,
  onLost: GatewaySettings["onSourceLost"],
): Promise<void> {
  try {
    for (let next = await sets.next(); !next.done; next = await sets.next()) update(next.value);
  } catch (error) {
    onLost?.(GatewayError.from(error, "discovery"));
  }
}

/** Resolves every endpoint once: to warn of names that do not resolve, and to refuse the gateway itself. */
async function refuseLoops(
  endpoints: readonly Endpoint[],
  { listen, onUnresolved }: GatewaySettings,
  dialer: Dialer,
): Promise<void> {
  const listening = (await Promise.all(listen.map(address => resolveAll(address, dialer)))).flat();
  const check = async (endpoint: Endpoint): Promise<void> => {
    const targets = await resolveAll(endpoint, dialer).catch((error: GatewayError) => {
      onUnresolved(endpoint, error);
      return [];
    });
    const loop = targets.find(target => leadsBack(target, listening));
    if (!loop) return;
    const resolved = loop.host === endpoint.host ? "" : ` (${formatAddress(loop)})`;
    throw new GatewayError(
      "self-loop",
      `endpoint ${formatAddress(endpoint)}${resolved} is the gateway itself, which listens on ${listen.map(formatAddress).join(", ")}`,
    );
  };
  await Promise.all(endpoints.map(check));
}

async function resolveAll({ host, port }: Address, dialer: Dialer): Promise<readonly Address[]> {
  return (await dialer.resolve(host)).map(address => ({ host: address, port }));
}
