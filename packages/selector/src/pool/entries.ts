import { type Endpoint, formatAddress, type GatewayError } from "@gw/interface";
import { type EntryContext, entryAt, PoolEntry } from "./entry.js";

/** The entries of a pool: those of the newest set, and those that left it and still have connections. */
export class Entries {
  readonly #context: EntryContext;
  #current: readonly PoolEntry[] = [];
  #byAddress: ReadonlyMap<string, PoolEntry> = new Map();
  readonly #draining = new Set<PoolEntry>();
  #returned: readonly string[] = [];

  constructor(context: EntryContext) {
    this.#context = context;
  }

  /** In the order of the newest set. */
  get current(): readonly PoolEntry[] {
    return this.#current;
  }

  /** Those that left the set and still have connections. */
  get draining(): Iterable<PoolEntry> {
    return this.#draining;
  }

  /** The entry of that host and port in the newest set. */
  find(endpoint: Endpoint): PoolEntry | undefined {
    const entry = entryAt(endpoint);
    // It may be another pool's.
    if (entry && this.#current[entry.position] === entry) return entry;
    return this.#byAddress.get(formatAddress(endpoint));
  }

  /** Replaces the set. An endpoint that stays keeps its entry, and so does one that returns while it is draining. */
  replace(
    endpoints: readonly Endpoint[],
    /** Why those that leave do, by `host:port`, where there is a reason besides the sources. */
    reasons: ReadonlyMap<string, GatewayError> = new Map(),
  ): {
    readonly added: Endpoint[];
    readonly removed: PoolEntry[];
  } {
    const now = this.#context.clock.now();
    const before = new Map(this.#byAddress);
    const draining = byAddress(this.#draining);
    const added: Endpoint[] = [];
    const returned: string[] = [];
    const current = new Map<string, PoolEntry>();
    endpoints.forEach((given, position) => {
      // A selector sees it, and must have nothing to change.
      const endpoint = Object.freeze({ ...given });
      const address = formatAddress(endpoint);
      const known = before.get(address) ?? draining.get(address);
      if (known && !before.has(address)) returned.push(address);
      if (!before.delete(address)) added.push(endpoint);
      const entry = known ?? new PoolEntry(endpoint, position, this.#context);
      entry.move(endpoint, position);
      entry.readmit(now);
      this.#draining.delete(entry);
      current.set(address, entry);
    });
    this.#current = [...current.values()];
    this.#byAddress = current;
    this.#returned = returned;
    const removed = [...before.values()];
    for (const entry of removed) {
      entry.startDraining(now, reasons.get(formatAddress(entry.endpoint)));
      if (entry.connections > 0) this.#draining.add(entry);
    }
    return { added, removed };
  }

  /** Those of endpoints that were draining when {@link replace} was last called, and are in the set again. */
  get returned(): readonly string[] {
    return this.#returned;
  }

  /** The entry of the newest set with this `host:port`. */
  named(address: string): PoolEntry | undefined {
    return this.#byAddress.get(address);
  }

  /** An entry that has left the set, for the reason `error`. */
  gone(endpoint: Endpoint, error: GatewayError): PoolEntry {
    const entry = new PoolEntry(endpoint, 0, this.#context);
    entry.startDraining(this.#context.clock.now(), error);
    return entry;
  }

  /** Takes an entry that is draining for one without connections. */
  forget(entry: PoolEntry): void {
    this.#draining.delete(entry);
  }

  /** A lease was given out on `entry`, which is draining. */
  leaseBegan(entry: PoolEntry): void {
    this.#draining.add(entry);
  }

  /** A lease on `entry` has ended. */
  leaseEnded(entry: PoolEntry): void {
    if (entry.connections === 0) this.#draining.delete(entry);
  }

  /** Cancels all retries, and all closing of connections. */
  close(): void {
    for (const entry of this.#current) entry.retry.cancel();
    for (const entry of [...this.#current, ...this.#draining]) entry.closing.cancel();
  }
}

function byAddress(entries: Iterable<PoolEntry>): Map<string, PoolEntry> {
  return new Map([...entries].map(entry => [formatAddress(entry.endpoint), entry]));
}
