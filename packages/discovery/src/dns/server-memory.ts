import type { Clock } from "@gw/interface";

/** What is known of how servers take queries with EDNS(0) (RFC 6891), by `host:port`. */
export interface EdnsSupport {
  /** Whether this server is to be asked without EDNS. */
  isBroken(server: string): boolean;
  /** The server answered a query with EDNS. */
  worked(server: string): void;
  /**
   * The server answered a query without EDNS, after it had not answered the same with it.
   *
   * @param proof whether it said itself that EDNS is what it does not take. Silence and other errors may have
   *   other reasons: from a server that has taken EDNS before, they count only twice in a row
   */
  failed(server: string, proof: boolean): void;
}

/** How long what was found out holds: routers are replaced and servers updated. In milliseconds. */
const ednsKnownForMs = 600_000;
/** Servers are configured by hand, but may change any number of times. */
const maxServers = 64;

interface Known {
  readonly verdict: "works" | "doubtful" | "broken";
  readonly untilMs: number;
}

/** Remembers up to 64 servers, each for ten minutes. */
export function ednsSupport(clock: Clock): EdnsSupport {
  const servers = new Map<string, Known>();
  const verdictOf = (server: string): Known["verdict"] | undefined => {
    const known = servers.get(server);
    return known && known.untilMs > clock.now() ? known.verdict : undefined;
  };
  const remember = (server: string, verdict: Known["verdict"]): void => {
    servers.delete(server);
    const [oldest] = servers.keys();
    if (oldest !== undefined && servers.size >= maxServers) servers.delete(oldest);
    servers.set(server, { verdict, untilMs: clock.now() + ednsKnownForMs });
  };
  return {
    isBroken: server => verdictOf(server) === "broken",
    worked: server => remember(server, "works"),
    failed(server, proof) {
      const firstDoubt = !proof && verdictOf(server) === "works";
      remember(server, firstDoubt ? "doubtful" : "broken");
    },
  };
}

/** Which servers have been silent of late, by `host:port`, so that not each name waits for one that is dead. */
export interface SilentServers {
  has(server: string): boolean;
  answered(server: string): void;
  silent(server: string): void;
}

/** How long a server counts as silent without having been given its full time again, in milliseconds. */
const silentForMs = 30_000;
/** Servers are configured by hand, but may change any number of times. */
const maxSilentServers = 64;

/** Remembers up to 64 servers. */
export function silentServers(clock: Clock): SilentServers {
  const until = new Map<string, number>();
  return {
    has: server => (until.get(server) ?? -Infinity) > clock.now(),
    answered: server => void until.delete(server),
    silent(server) {
      until.delete(server);
      const [oldest] = until.keys();
      if (oldest !== undefined && until.size >= maxSilentServers) until.delete(oldest);
      until.set(server, clock.now() + silentForMs);
    },
  };
}
