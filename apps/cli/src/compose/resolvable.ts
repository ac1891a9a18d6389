import {
  type Address,
  type Clock,
  type Endpoint,
  formatAddress,
  GatewayError,
  systemClock,
} from "@gw/interface";
import type { Dialer } from "@gw/tcpproxy";

/** What {@link createResolvable} needs. */
export interface ResolvableOptions {
  readonly dialer: Dialer;
  /** Takes the endpoints to choose from whenever they have changed, after {@link Resolvable.start}. */
  readonly use: (endpoints: readonly Endpoint[]) => void;
  /** A name has no address, or nobody could tell; it is asked for again. Called once until it has one. */
  readonly onUnresolved: (endpoint: Endpoint, error: GatewayError) => void;
  /** A name that had no address has one now. */
  readonly onResolved: (endpoint: Endpoint) => void;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** Endpoints of which those can be chosen whose names have addresses. */
export interface Resolvable {
  /** Puts another set in the place of the one before. */
  update(endpoints: readonly Endpoint[]): void;
  /**
   * Waits until there is an endpoint to begin with: all names are known to have addresses or none, or some have while
   * the others are slow (250 ms), or three seconds have passed. Resolves with the addresses of the endpoints so far.
   */
  ready(): Promise<ReadonlyMap<Endpoint, readonly Address[]>>;
  /** From now on the endpoints are used. */
  start(): void;
  /** Asks at once for names without addresses. */
  refresh(): void;
  close(): void;
}

/** How long the start waits for slow names once there is something to serve from, in milliseconds. */
const settleMs = 250;
/** How long the start waits for the first name, in milliseconds. */
const longestMs = 3_000;
/** Between two look-ups of a name without addresses, in milliseconds: doubled up to the longest. */
const retryMs = 5_000;
const longestRetryMs = 60_000;

/** What is known of one endpoint. */
interface Known {
  endpoint: Endpoint;
  /** Undefined until its name was resolved; then it can be chosen, whatever becomes of the name. */
  addresses: readonly Address[] | undefined;
  asking: boolean;
  failures: number;
  cancelRetry: () => void;
}

/**
 * Keeps endpoints whose names have no address apart from those that can be dialled, so that no client waits for dead
 * names. They are asked for again and again, and join the others when they have an address. Where no name has one, all
 * endpoints are used: then clients wait for DNS with good reason.
 */
export function createResolvable({
  dialer,
  use,
  onUnresolved,
  onResolved,
  clock = systemClock,
}: ResolvableOptions): Resolvable {
  let known = new Map<string, Known>();
  let started = false;
  let closed = false;
  let pending: NodeJS.Immediate | undefined;
  let onProgress = (): void => {};

  const publish = (): void => {
    pending = undefined;
    if (!started || closed) return;
    const all = [...known.values()];
    const usable = all.filter(({ addresses }) => addresses);
    use((usable.length > 0 ? usable : all).map(({ endpoint }) => endpoint));
  };
  /** Many names may become known at the same time. */
  const publishSoon = (): void => {
    pending ??= setImmediate(publish);
  };
  const ask = async (one: Known): Promise<void> => {
    one.cancelRetry();
    one.asking = true;
    try {
      const { host, port } = one.endpoint;
      const addresses = await dialer.resolve(host);
      one.addresses = addresses.map(address => ({ host: address, port }));
      if (isCurrent(one) && one.failures > 0) onResolved(one.endpoint);
      publishSoon();
    } catch (error) {
      one.failures += 1;
      if (isCurrent(one)) {
        if (one.failures === 1) onUnresolved(one.endpoint, GatewayError.from(error, "look up"));
        const waitMs = Math.min(retryMs * 2 ** (one.failures - 1), longestRetryMs);
        one.cancelRetry = clock.after(waitMs, () => void ask(one));
      }
    }
    one.asking = false;
    onProgress();
  };
  const isCurrent = (one: Known): boolean => !closed && known.get(formatAddress(one.endpoint)) === one;

  return {
    update(endpoints) {
      const before = known;
      known = new Map();
      for (const endpoint of endpoints) {
        const name = formatAddress(endpoint);
        const one = before.get(name) ?? {
          endpoint,
          addresses: undefined,
          asking: false,
          failures: 0,
          cancelRetry: () => {},
        };
        one.endpoint = endpoint;
        known.set(name, one);
        before.delete(name);
      }
      for (const gone of before.values()) gone.cancelRetry();
      for (const one of known.values())
        if (!one.addresses && !one.asking && one.failures === 0) void ask(one);
      publishSoon();
    },
    async ready() {
      await new Promise<void>(resolve => {
        const cancels = [clock.after(longestMs, resolve)];
        onProgress = () => {
          const all = [...known.values()];
          if (all.every(({ addresses, failures }) => addresses || failures > 0)) resolve();
          else if (cancels.length === 1 && all.some(({ addresses }) => addresses))
            cancels.push(clock.after(settleMs, resolve));
        };
        onProgress();
      });
      onProgress = () => {};
      return new Map([...known.values()].map(({ endpoint, addresses = [] }) => [endpoint, addresses]));
    },
    start() {
      started = true;
      publish();
    },
    refresh() {
      for (const one of known.values()) if (!one.addresses && !one.asking) void ask(one);
    },
    close() {
      closed = true;
      clearImmediate(pending);
      for (const one of known.values()) one.cancelRetry();
    },
  };
}
