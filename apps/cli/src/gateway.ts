import {
  type Address,
  type Discovery,
  type Endpoint,
  formatAddress,
  GatewayError,
  type Observer,
  type Selector,
} from "@gw/interface";
import { createPool } from "@gw/selector";
import { createDialer, createProxy, type Dialer, leadsBack, type TcpProxy } from "@gw/tcpproxy";

/** All that a gateway is made of. Undefined means the default of the package that owns the setting. */
export interface GatewaySettings {
  readonly listen: readonly Address[];
  readonly discovery: Discovery;
  readonly selector?: Selector | undefined;
  readonly retryDelayMs?: number | undefined;
  readonly connectTimeoutMs?: number | undefined;
  readonly maxConnections?: number | undefined;
  readonly observer: Observer;
  /** An endpoint's name has no address now; it stays an endpoint and is tried when its turn comes. */
  readonly onUnresolved: (endpoint: Endpoint, error: GatewayError) => void;
}

/** A gateway that accepts clients. */
export interface Gateway {
  readonly proxy: TcpProxy;
  /** The endpoints that it started with. */
  readonly endpoints: readonly Endpoint[];
  /** See {@link TcpProxy.close}. */
  close(options: { readonly graceMs: number }): Promise<{ readonly cut: number }>;
}

/**
 * Puts the parts together and starts to listen. Rejects, with nothing left running, if the endpoints lead
 * back to the gateway itself, if an address cannot be listened on, or when `signal` is aborted.
 */
export async function startGateway(settings: GatewaySettings, signal: AbortSignal): Promise<Gateway> {
  const { listen, selector, retryDelayMs, connectTimeoutMs, maxConnections, observer } = settings;
  const dialer = createDialer({ connectTimeoutMs });
  const pool = createPool({
    selector,
    retryDelayMs,
    observer,
    probe: async (endpoint, signal) => {
      const socket = await dialer.dial(endpoint, { signal, listening: proxy.addresses });
      socket.destroy();
    },
  });
  const proxy = createProxy({ listen, pool, dialer, maxConnections, observer });
  const watching = new AbortController();
  const sets = settings.discovery
    .watch({ signal: AbortSignal.any([watching.signal, signal]) })
    [Symbol.asyncIterator]();
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
    void follow(sets, endpoints => pool.update(endpoints));
    return { proxy, endpoints: first.value, close };
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
