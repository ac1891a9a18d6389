import type { Clock } from "@gw/interface";

/** Which servers have been silent of late, by `host:port`, so that not each name waits for one that is dead. */
export interface SilentServers {
  has(server: string): boolean;
  answered(server: string): void;
  silent(server: string): void;
}

/** How long a server counts as silent without having been given its full time again, in milliseconds. */
const lifetimeMs = 30_000;
/** Servers are configured by hand, but may change any number of times. */
const maxServers = 64;

/** Remembers up to 64 servers. */
export function silentServers(clock: Clock): SilentServers {
  const until = new Map<string, number>();
  return {
    has: server => (until.get(server) ?? -Infinity) > clock.now(),
    answered: server => void until.delete(server),
    silent(server) {
      until.delete(server);
      const [oldest] = until.keys();
      if (oldest !== undefined && until.size >= maxServers) until.delete(oldest);
      until.set(server, clock.now() + lifetimeMs);
    },
  };
}
