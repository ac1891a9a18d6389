import {
  type Endpoint,
  type EndpointFacts,
  type EndpointStatus,
  formatAddress,
  GatewayError,
} from "@gw/interface";
import type { EndpointPool, RejectedEndpoint } from "@gw/selector";

/**
 * How an operator keeps an endpoint from clients:
 *
 * - `drained`: its connections end as those of an endpoint that is removed
 * - `down`: its connections are reset at once
 */
export type HoldKind = "drained" | "down";

/** An endpoint that an operator keeps from clients. */
export interface Hold {
  readonly endpoint: Endpoint;
  readonly kind: HoldKind;
  /** Milliseconds since 1970 (UTC). */
  readonly since: number;
  /** What the endpoint had said of itself when it was held. */
  readonly facts?: EndpointFacts | undefined;
}

/**
 * The last stage before the pool: takes out the endpoints that an operator holds. A hold stays while the sources leave the
 * endpoint out, and ends with the process.
 */
export class Holds {
  readonly #use: EndpointPool["update"];
  readonly #holds = new Map<string, Hold>();
  #set: readonly Endpoint[] = [];
  #rejected: readonly RejectedEndpoint[] = [];

  /** @param use takes the endpoints that are left */
  constructor(use: EndpointPool["update"]) {
    this.#use = use;
  }

  /** All holds, also on endpoints that the sources have left out since. */
  get all(): Iterable<Hold> {
    return this.#holds.values();
  }

  get isAnyHeld(): boolean {
    return this.#holds.size > 0;
  }

  get(name: string): Hold | undefined {
    return this.#holds.get(name);
  }

  /** The endpoint of this name, `host:port`, with the dot of an absolute host name or without; undefined if it is unknown. */
  find(name: string): Endpoint | undefined {
    const plain = withoutDot(name);
    const known = this.#set.find(endpoint => withoutDot(formatAddress(endpoint)) === plain);
    return (
      known ??
      [...this.#holds.values()].find(one => withoutDot(formatAddress(one.endpoint)) === plain)?.endpoint
    );
  }

  /** A new set of endpoints, before those that are held are taken out. See `EndpointPool.update`. */
  update(endpoints: readonly Endpoint[], rejected: readonly RejectedEndpoint[] = []): void {
    this.#set = endpoints;
    this.#rejected = rejected;
    if (this.#holds.size === 0) this.#use(endpoints, rejected);
    else this.#apply();
  }

  /**
   * The endpoints of `statuses` that are in the set, and those that are held, as if they were up: a hold ends with the
   * process, and the next one may use them.
   */
  withHeld(statuses: readonly EndpointStatus[]): readonly EndpointStatus[] {
    if (this.#holds.size === 0) return statuses;
    const known = new Set(this.#set.map(formatAddress));
    const held = [...this.#holds.values()].filter(({ endpoint }) => known.has(formatAddress(endpoint)));
    const free = statuses.filter(({ endpoint }) => !this.#holds.has(formatAddress(endpoint)));
    return [...free, ...held.map(({ endpoint, since }) => ({ ...heldStatus, endpoint, since }))];
  }

  hold(endpoint: Endpoint, kind: HoldKind, facts?: EndpointFacts): void {
    const name = formatAddress(endpoint);
    // The time is that of the first: a second call changes what happens to the connections.
    const before = this.#holds.get(name);
    this.#holds.set(name, {
      endpoint,
      kind,
      since: before?.since ?? Date.now(),
      facts: facts ?? before?.facts,
    });
    this.#apply();
  }

  /** @returns whether it was held */
  release(endpoint: Endpoint): boolean {
    if (!this.#holds.delete(formatAddress(endpoint))) return false;
    this.#apply();
    return true;
  }

  #apply(): void {
    const free = this.#set.filter(endpoint => !this.#holds.has(formatAddress(endpoint)));
    const held = [...this.#holds.values()].map(({ endpoint, kind }) => ({
      endpoint,
      error: new GatewayError("aborted", `an operator has ${heldAs[kind]} ${formatAddress(endpoint)}`),
      connections: kind === "drained" ? ("drain" as const) : ("reset" as const),
    }));
    this.#use(free, [...held, ...this.#rejected]);
  }
}

const heldStatus = { state: "up", unhealthy: false, inUse: false, connections: 0 } as const;

/** What an operator has done to an endpoint that is held. */
export const heldAs = { drained: "drained", down: "marked down" } as const;

function withoutDot(name: string): string {
  return name.replace(/\.(?=:\d+$)/, "");
}
