import type { Clock } from "@gw/interface";

/** How servers handle queries with EDNS(0) (RFC 6891), by `host:port`. */
export interface EdnsSupport {
  /** Whether this server is to be queried without EDNS. */
  isBroken(server: string): boolean;
  /** The server answered a query with EDNS. */
  worked(server: string): void;
  /**
   * The server answered a query without EDNS, but not the same query with it.
   *
   * @param isCertain whether it answered that it does not support EDNS. Silence and other errors may have other causes:
   *   from a server that has supported EDNS before, they count only twice in a row
   */
  failed(server: string, isCertain: boolean): void;
}

/** How long EDNS support is remembered: routers are replaced and servers updated. In milliseconds. */
const ednsLifetimeMs = 600_000;
/** Servers are configured by hand, but may change any number of times. */
const maxServers = 64;

interface Known {
  readonly support: "works" | "doubtful" | "broken";
  readonly untilMs: number;
}

/** Remembers up to 64 servers, each for ten minutes. */
export function ednsSupport(clock: Clock): EdnsSupport {
  const servers = new Map<string, Known>();
  const supportOf = (server: string): Known["support"] | undefined => {
    const known = servers.get(server);
    return known && known.untilMs > clock.now() ? known.support : undefined;
  };
  const remember = (server: string, support: Known["support"]): void =>
    setLatest(servers, server, { support, untilMs: clock.now() + ednsLifetimeMs });
  return {
    isBroken: server => supportOf(server) === "broken",
    worked: server => remember(server, "works"),
    failed(server, isCertain) {
      const isFirst = !isCertain && supportOf(server) === "works";
      remember(server, isFirst ? "doubtful" : "broken");
    },
  };
}

/** Which servers were silent recently, by `host:port`, so that not every look-up waits for a dead one. */
export interface SilentServers {
  has(server: string): boolean;
  answered(server: string): void;
  /** The server did not answer within the full timeout. */
  silent(server: string): void;
}

/** How long a server counts as silent after that, in milliseconds. */
const silentLifetimeMs = 30_000;

/** Remembers up to 64 servers. */
export function silentServers(clock: Clock): SilentServers {
  const until = new Map<string, number>();
  return {
    has: server => (until.get(server) ?? -Infinity) > clock.now(),
    answered: server => void until.delete(server),
    silent: server => setLatest(until, server, clock.now() + silentLifetimeMs),
  };
}

/** Sets an entry, and deletes the oldest one if there are too many. */
function setLatest<V>(map: Map<string, V>, server: string, value: V): void {
  map.delete(server);
  const [oldest] = map.keys();
  if (oldest !== undefined && map.size >= maxServers) map.delete(oldest);
  map.set(server, value);
}
