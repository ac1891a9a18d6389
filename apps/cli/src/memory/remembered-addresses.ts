import { type Clock, GatewayError } from "@gw/interface";
import type { Lookup } from "@gw/tcpproxy";
import { formatDuration } from "../flags/duration.js";
import { stateLimits } from "./state-file.js";

/** The addresses of hosts: of this run, and until they are known, of the last one. */
export interface RememberedAddresses {
  /**
   * A look-up with remembered addresses where it fails, or takes longer than a second, before it has answered once. It is
   * asked again soon.
   */
  wrap(lookup: Lookup): Lookup;
  /** Whether only remembered addresses are known of `host`, and they were used. */
  isRemembered(host: string): boolean;
  /** The addresses of the hosts that were looked up in this run, best first; the newest answers last. */
  current(): ReadonlyMap<string, readonly string[]>;
}

/** Notified of what {@link RememberedAddresses} does. */
export interface RememberedAddressesOptions {
  readonly clock: Clock;
  /** Remembered addresses of a host are used. Called once for each. */
  readonly onUsed: (host: string, addresses: readonly string[], why: string) => void;
  /** The look-up has answered for a host whose remembered addresses were used. */
  readonly onDropped: (host: string) => void;
}

/** A look-up that takes longer is bridged by remembered addresses, in milliseconds. */
const slowMs = 1_000;
/** How long they are used until the look-up is asked again, in milliseconds. */
const ttlMs = 5_000;

/** @param remembered by host name; hosts that are not looked up in this run are forgotten */
export function createRememberedAddresses(
  remembered: ReadonlyMap<string, readonly string[]>,
  { clock, onUsed, onDropped }: RememberedAddressesOptions,
): RememberedAddresses {
  /** Answers of this run, the newest last. */
  const known = new Map<string, readonly string[]>();
  const used = new Set<string>();

  const keep = (host: string, addresses: readonly string[]): void => {
    known.delete(host);
    known.set(host, addresses);
    const [oldest] = known.keys();
    if (oldest !== undefined && known.size > stateLimits.hosts) known.delete(oldest);
    if (used.delete(host)) onDropped(host);
  };
  const bridge = (host: string, addresses: readonly string[], why: string): ReturnType<Lookup> => {
    // Another look-up may have answered meanwhile.
    if (!used.has(host) && !known.has(host)) {
      used.add(host);
      onUsed(host, addresses, why);
    }
    return Promise.resolve({ addresses: known.get(host) ?? addresses, ttlMs });
  };
  return {
    wrap: lookup => async (host, options) => {
      const answer = lookup(host, options).then(found => {
        if (found.addresses.length > 0) keep(host, found.addresses);
        return found;
      });
      const addresses = remembered.get(host);
      if (!addresses || known.has(host)) return answer;
      return new Promise((resolve, reject) => {
        const cancel = clock.after(slowMs, () =>
          resolve(bridge(host, addresses, `no answer within ${formatDuration(slowMs)}`)),
        );
        answer
          .catch((error: unknown) => bridge(host, addresses, GatewayError.from(error, "look-up").detail))
          .then(resolve, reject)
          .finally(cancel);
      });
    },
    isRemembered: host => used.has(host),
    current() {
      const bridged = [...used].flatMap(host => {
        const addresses = remembered.get(host);
        return addresses ? [[host, addresses] as const] : [];
      });
      return new Map([...bridged, ...known]);
    },
  };
}
