import {
  type Address,
  backoffMs,
  type Clock,
  type Endpoint,
  formatAddress,
  GatewayError,
  systemClock,
  withJitter,
} from "@gw/interface";
import type { Dialer } from "@gw/tcpproxy";

/** What {@link createResolvable} needs. */
export interface ResolvableOptions {
  readonly dialer: Dialer;
  /** Takes the endpoints to choose from whenever they have changed, after {@link Resolvable.start}. */
  readonly use: (endpoints: readonly Endpoint[]) => void;
  /** A host has no address, or its look-up failed; it is looked up again. Called once until it has one. */
  readonly onUnresolved: (endpoint: Endpoint, error: GatewayError) => void;
  /** A host that had no address has one now. */
  readonly onResolved: (endpoint: Endpoint) => void;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
  /** A number in [0, 1), for jitter. @default Math.random */
  readonly random?: (() => number) | undefined;
}

/** Passes on the endpoints whose hosts have addresses. */
export interface Resolvable {
  /** Replaces the set of endpoints. */
  update(endpoints: readonly Endpoint[]): void;
  /**
   * Waits until the gateway can start: all look-ups have ended, or one has found an address and the others are slow
   * (250 ms), or three seconds have passed. Resolves with the addresses known so far.
   */
  ready(): Promise<ReadonlyMap<Endpoint, readonly Address[]>>;
  /** Passes on the endpoints from now on. */
  start(): void;
  /** Looks up hosts without addresses at once. */
  refresh(): void;
  close(): void;
}

/** How long the start waits for slow look-ups once an address is known, in milliseconds. */
const settleMs = 250;
/** How long the start waits for the first address, in milliseconds. */
const longestMs = 3_000;
/**
 * The delay after a failed look-up, in milliseconds: it doubles, up to the longest. DNS fails for many gateways at once,
 * so a delay that has grown is up to a half shorter at random, and each is then up to a fifth longer.
 */
const retry = { baseMs: 5_000, maxMs: 60_000, jitter: 0.5 };
const retryJitter = 0.2;

/** One endpoint and its addresses. */
interface Known {
  endpoint: Endpoint;
  /** Undefined until its host was resolved once; later failures do not remove the endpoint. */
  addresses: readonly Address[] | undefined;
  asking: boolean;
  failures: number;
  cancelRetry: () => void;
}

/**
 * Withholds endpoints whose hosts have no address, so that no client waits for names that do not exist. Their hosts are
 * looked up again, and they join the others when they have an address. If no host has one, all endpoints are passed on:
 * then clients must wait for DNS anyway.
 */
export function createResolvable({
  dialer,
  use,
  onUnresolved,
  onResolved,
  clock = systemClock,
  random = Math.random,
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
  /** Once for all look-ups that end at the same time. */
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
        const waitMs = withJitter(backoffMs(one.failures, { ...retry, random }), retryJitter, random);
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
