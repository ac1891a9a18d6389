import { isAbsolute, join } from "node:path";
import { withFallback } from "@gw/discovery";
import {
  type Clock,
  type Discovery,
  type Endpoint,
  formatAddress,
  GatewayError,
  sameEndpoint,
  sleep,
  systemClock,
} from "@gw/interface";
import type { EndpointPool } from "@gw/selector";
import type { Lookup } from "@gw/tcpproxy";
import { sourceText } from "../flags/discovery.js";
import { formatDuration } from "../flags/duration.js";
import type { StartFlags } from "../flags/table.js";
import type { EventLog } from "../log/event-log.js";
import { namesOf } from "../log/observer.js";
import { createRememberedAddresses } from "./remembered-addresses.js";
import { readState, type State } from "./state-file.js";
import { StateSaver } from "./state-saver.js";

/** What a gateway remembers of its last run, and saves for the next one. Without a state file it remembers nothing. */
export interface Memory {
  /** The id of the cluster that the last run served; undefined if it is not known. */
  readonly clusterId: string | undefined;
  /** `source`, or the remembered endpoints, at the worst priority, while it has none. */
  readonly withEndpoints: (source: Discovery) => Discovery;
  /** `lookup`, or remembered addresses where it fails before its first answer. Its answers are remembered. */
  withAddresses(lookup: Lookup): Lookup;
  /** Whether this run knows an endpoint, or its address, only from the last one. */
  isRemembered(endpoint: Endpoint): boolean;
  /** Discovery has removed all endpoints: they are not to be used again. */
  forget(): void;
  /** Begins to save the good endpoints of `pool`, and the id of their cluster; undefined if nobody verifies it. */
  follow(pool: Pick<EndpointPool, "inspect">, clusterId: () => string | undefined): void;
  /** Saves a last time. Resolves when that is done, or after three seconds. */
  close(): Promise<void>;
}

/** What a memory needs besides flags; times are in milliseconds. */
export interface MemoryContext {
  readonly log: EventLog;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/** A state file that takes longer is not read: the start does not wait for a disk that hangs. */
const readTimeoutMs = 2_000;

/** The path of the state file; undefined if there is to be none. */
export function stateFilePath(
  { stateFile }: Pick<StartFlags, "stateFile">,
  environment: { readonly STATE_DIRECTORY?: string | undefined },
): string | undefined {
  if (stateFile === "off") return undefined;
  if (stateFile !== undefined) return stateFile;
  // systemd separates several by colons.
  const [folder = ""] = environment.STATE_DIRECTORY?.split(":") ?? [];
  return isAbsolute(folder) ? join(folder, "endpoints.json") : undefined;
}

/** Reads the state file. One that cannot be used is logged, and the gateway starts without it. */
export async function openMemory(
  flags: StartFlags,
  path: string | undefined,
  { log, clock = systemClock }: MemoryContext,
): Promise<Memory> {
  if (path === undefined) return noMemory;
  const discovery = sourceText(flags);
  const reading = readState(path);
  const state = await read(path, reading, { log, clock });
  const isSameSource = state?.discovery === discovery;
  if (state && !isSameSource && state.endpoints.length > 0)
    log.write(
      "state file ignored",
      { file: path, reason: `its endpoints were found with ${state.discovery}, not with ${discovery}` },
      "info",
    );
  const saved = isSameSource ? state.endpoints : [];
  return new FileMemory({ path, discovery, reading, state, saved, log, clock });
}

async function read(
  path: string,
  reading: Promise<State | undefined>,
  { log, clock }: Required<MemoryContext> & { readonly clock: Clock },
): Promise<State | undefined> {
  const timer = new AbortController();
  const timeout = sleep(readTimeoutMs, clock, timer.signal).then(() => {
    throw new GatewayError("timed-out", `it was not read within ${formatDuration(readTimeoutMs)}`);
  });
  timeout.catch(() => {});
  try {
    return await Promise.race([reading, timeout]);
  } catch (error) {
    log.write("state file ignored", { file: path, reason: GatewayError.from(error, "read").detail });
    return undefined;
  } finally {
    timer.abort();
  }
}

const noMemory: Memory = {
  clusterId: undefined,
  withEndpoints: source => source,
  withAddresses: lookup => lookup,
  isRemembered: () => false,
  forget() {},
  follow() {},
  async close() {},
};

interface FileMemoryOptions {
  readonly path: string;
  /** The flags of discovery, as text. */
  readonly discovery: string;
  /** Settles when the file was read. */
  readonly reading: Promise<unknown>;
  readonly state: State | undefined;
  /** The remembered endpoints, if they may be used. */
  readonly saved: readonly Endpoint[];
  readonly log: EventLog;
  readonly clock: Clock;
}

class FileMemory implements Memory {
  readonly #options: FileMemoryOptions;
  readonly #addresses: ReturnType<typeof createRememberedAddresses>;
  /** Endpoints that were good at some time, `host:port`. */
  readonly #good: Set<string>;
  #areEndpointsUsed = false;
  #isEmptied = false;
  readonly #saver: StateSaver;

  constructor(options: FileMemoryOptions) {
    const { path, state, saved, log, clock, reading } = options;
    this.#options = options;
    this.#good = new Set(saved.map(formatAddress));
    this.#saver = new StateSaver({ path, reading, log, clock });
    this.#addresses = createRememberedAddresses(state?.addresses ?? new Map(), {
      clock,
      onUsed: (host, addresses, why) =>
        log.write("remembered addresses used", { host, addresses, ...this.#age(), reason: why }),
      onDropped: host => log.write("remembered addresses dropped", { host }),
    });
  }

  get clusterId(): string | undefined {
    return this.#options.state?.clusterId;
  }

  readonly withEndpoints = (source: Discovery): Discovery => {
    const { saved, log, clock } = this.#options;
    const endpoints = atWorstPriority(saved);
    let usedAt = 0;
    return withFallback(source, {
      endpoints,
      clock,
      onUsed: error => {
        usedAt = clock.now();
        this.#areEndpointsUsed = true;
        const reason = error?.detail ?? "discovery is slow";
        log.write("remembered endpoints used", { endpoints: namesOf(endpoints), ...this.#age(), reason });
      },
      onDropped: () => {
        this.#areEndpointsUsed = false;
        log.write("remembered endpoints dropped", { usedFor: formatDuration(clock.now() - usedAt) });
      },
    });
  };

  withAddresses(lookup: Lookup): Lookup {
    return this.#addresses.wrap(lookup);
  }

  isRemembered(endpoint: Endpoint): boolean {
    const { saved } = this.#options;
    const isUsed = this.#areEndpointsUsed && saved.some(one => sameEndpoint(one, endpoint));
    return isUsed || this.#addresses.isRemembered(endpoint.host);
  }

  forget(): void {
    this.#isEmptied = true;
    this.#good.clear();
  }

  follow(pool: Pick<EndpointPool, "inspect">, clusterId: () => string | undefined): void {
    const { discovery } = this.#options;
    this.#saver.start(() => {
      const endpoints = this.#goodEndpoints(pool);
      if (!endpoints) return undefined;
      const addresses = this.#addresses.current();
      return { savedAt: Date.now(), discovery, clusterId: clusterId(), endpoints, addresses };
    });
  }

  close(): Promise<void> {
    return this.#saver.close();
  }

  /**
   * The endpoints of the pool that are good, or were at some time: up, and not failing health checks. Undefined while none
   * of them has proven it, by a health check or a connection: then the whole set may be wrong.
   */
  #goodEndpoints(pool: Pick<EndpointPool, "inspect">): readonly Endpoint[] | undefined {
    const current = pool.inspect().filter(({ state }) => state !== "draining");
    if (current.length === 0) return this.#isEmptied ? [] : undefined;
    this.#isEmptied = false;
    const good = current.filter(({ state, verdict }) => state === "up" && !verdict?.error);
    const isProven = good.some(({ verdict, inUse }) => inUse || verdict !== undefined);
    if (!isProven) return undefined;
    for (const { endpoint } of good) this.#good.add(formatAddress(endpoint));
    const endpoints = current.map(({ endpoint }) => endpoint);
    const names = new Set(endpoints.map(formatAddress));
    for (const name of this.#good) if (!names.has(name)) this.#good.delete(name);
    return endpoints.filter(endpoint => this.#good.has(formatAddress(endpoint)));
  }

  /** When the remembered state was last true. */
  #age(): { readonly saved: string; readonly age: string } {
    const { savedAt = 0 } = this.#options.state ?? {};
    const ageMs = Math.max(0, Date.now() - savedAt);
    return { saved: new Date(savedAt).toISOString(), age: formatDuration(Math.floor(ageMs / 1_000) * 1_000) };
  }
}

const worstPriority = 65_535;

/** The endpoints at the worst priority; those of several priorities at the worst ones, in the same order. */
function atWorstPriority(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const priorities = [...new Set(endpoints.map(({ priority }) => priority))].sort((a, b) => b - a);
  return endpoints.map(endpoint => ({
    ...endpoint,
    priority: worstPriority - priorities.indexOf(endpoint.priority),
  }));
}
