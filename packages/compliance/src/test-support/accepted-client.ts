import {
  type Address,
  type ClientEvents,
  formatAddress,
  GatewayError,
  type GatewayErrorCode,
  type Listener,
  type PlannedDial,
  type RelayClient,
  type RelayEnd,
} from "@gw/interface";
import { Mismatch, Waitable } from "./waitable.js";

type Event =
  | { readonly name: "connected"; readonly address: Address }
  | { readonly name: "dialFailed"; readonly error: GatewayError }
  | { readonly name: "ended"; readonly end: RelayEnd };

/** A violation of an invariant. */
export type Violation = { readonly contract: string; readonly seen: string };

/** What holds at any time, and so in every case. */
export const invariants = {
  once: "ended() is the last event, exactly once for every client that was not refused.",
  outside: "Events are never called from within a method of the RelayClient.",
  dial: "After dial() comes one of connected(), dialFailed() and ended(); without a dial, only ended().",
  counters: "bytesFromClient and bytesFromBackend count the bytes read from each side.",
};

/** A client that the relay accepted, as a proxy sees it. Events are queued until a case asks for them. */
export class AcceptedClient extends Waitable implements ClientEvents {
  readonly client: RelayClient;
  /** The dial of the stock that was taken for it. */
  readonly stocked: PlannedDial | undefined;
  /** What connected() was called with. */
  tookMs: number | undefined;
  /** Called within each event, after it was recorded. */
  onEvent: ((name: Event["name"]) => void) | undefined;
  /** Whether a dial has succeeded. */
  hasBackend = false;
  end: RelayEnd | undefined;
  /** How often stalled() was called. */
  stallCount = 0;
  onEnd: (() => void) | undefined;
  readonly #onViolation: (violation: Violation) => void;
  readonly #events: Event[] = [];
  /** Calls and events, for messages. */
  readonly #log: string[] = [];
  #dialling = false;
  #within: string | undefined;

  constructor(
    client: RelayClient,
    stocked: PlannedDial | undefined,
    limitMs: number,
    onViolation: (violation: Violation) => void,
  ) {
    super(limitMs);
    this.client = client;
    this.stocked = stocked;
    this.#dialling = stocked !== undefined;
    this.#onViolation = onViolation;
  }

  /** @param timeoutMs by default longer than any case waits */
  dial(addresses: Address | readonly Address[], timeoutMs: number = 10 * this.limitMs): void {
    this.#dialling = true;
    const list = "host" in addresses ? [addresses] : addresses;
    this.#call("dial()", () => this.client.dial(list, timeoutMs));
  }

  cancelDial(): void {
    this.#dialling = false;
    this.#call("cancelDial()", () => this.client.cancelDial());
  }

  close(): void {
    this.#dialling = false;
    this.#call("close()", () => this.client.close());
  }

  abort(): void {
    this.#dialling = false;
    this.#call("abort()", () => this.client.abort());
  }

  connected(address: Address, tookMs?: number): void {
    this.tookMs = tookMs;
    this.#record({ name: "connected", address });
  }

  dialFailed(error: GatewayError): void {
    this.#record({ name: "dialFailed", error });
  }

  ended(end: RelayEnd): void {
    this.#record({ name: "ended", end });
  }

  stalled(): void {
    this.#log.push("stalled()");
    this.#demandInvariants("stalled");
    if (!this.hasBackend) this.#onViolation({ contract: invariants.dial, seen: String(this) });
    this.stallCount += 1;
    this.changed();
  }

  /** How many events are queued; stalled() is not among them. */
  get pending(): number {
    return this.#events.length;
  }

  /** Demands that the next event is connected(), to `address` if that is given. */
  async isConnected(address?: Address): Promise<void> {
    const { address: connectedTo } = await this.#next("connected");
    if (address && formatAddress(connectedTo) !== formatAddress(address))
      throw new Mismatch(
        `connected() with ${formatAddress(connectedTo)}, in place of ${formatAddress(address)}`,
      );
  }

  /**
   * After a cancelled dial and another: resolves with true if the next event is connected(), and with false if bytes
   * had moved before the cancellation, so that the relay had to abort the client. Demands that it is one of them.
   */
  async isConnectedUnlessTooLate(): Promise<boolean> {
    const event = await this.until(
      () => this.#events.shift(),
      () => `connected() is missing (so far: ${this})`,
    );
    if (event.name === "connected") return true;
    const moved = event.name === "ended" && event.end.bytesFromClient + event.end.bytesFromBackend > 0;
    if (moved && event.end.reason === "aborted") return false;
    throw new Mismatch(`${event.name}() in place of connected() (so far: ${this})`);
  }

  /** Demands that the next event is dialFailed(), with one of `codes` if any are given. */
  async dialFails(...codes: readonly GatewayErrorCode[]): Promise<void> {
    const { error } = await this.#next("dialFailed");
    demandCode(error, codes, "dialFailed() with");
  }

  /** Demands that the next event is ended(), for `reason`, and with an error of `code` if that is given. */
  async ends(reason: RelayEnd["reason"], code?: GatewayErrorCode): Promise<RelayEnd> {
    const { end } = await this.#next("ended");
    if (end.reason !== reason) throw new Mismatch(`ended() with ${formatEnd(end)}, in place of ${reason}`);
    if (code) demandCode(end.error, [code], "ended() with");
    return end;
  }

  /** Waits until stalled() was called `count` times. */
  async stalls(count: number): Promise<void> {
    await this.until(
      () => (this.stallCount >= count ? true : undefined),
      () => `stalled() is missing (so far: ${this})`,
    );
  }

  override toString(): string {
    return this.#log.join(", ") || "nothing was called";
  }

  async #next<Name extends Event["name"]>(name: Name): Promise<Extract<Event, { name: Name }>> {
    const event = await this.until(
      () => this.#events.shift(),
      () => `${name}() is missing (so far: ${this})`,
    );
    if (event.name === name) return event as Extract<Event, { name: Name }>;
    throw new Mismatch(`${event.name}() in place of ${name}() (so far: ${this})`);
  }

  #call(name: string, call: () => void): void {
    const outer = this.#within;
    this.#log.push(name);
    this.#within = name;
    try {
      call();
    } finally {
      this.#within = outer;
    }
  }

  /** What holds for each event. */
  #demandInvariants(name: string): void {
    if (this.#within)
      this.#onViolation({ contract: invariants.outside, seen: `${name}() within ${this.#within}` });
    if (this.end) this.#onViolation({ contract: invariants.once, seen: String(this) });
  }

  #record(event: Event): void {
    this.#log.push(`${event.name}(${event.name === "ended" ? formatEnd(event.end) : ""})`);
    this.#demandInvariants(event.name);
    if (event.name !== "ended" && !this.#dialling)
      this.#onViolation({ contract: invariants.dial, seen: String(this) });
    this.#dialling = false;
    if (event.name === "connected") this.hasBackend = true;
    if (event.name === "ended") {
      this.end = event.end;
      this.onEnd?.();
      const { bytesFromClient, bytesFromBackend } = this.client;
      if (bytesFromClient !== event.end.bytesFromClient || bytesFromBackend !== event.end.bytesFromBackend)
        this.#onViolation({
          contract: invariants.counters,
          seen: `ended() with ${formatEnd(event.end)}, but the RelayClient has ${bytesFromClient}/${bytesFromBackend}`,
        });
    }
    this.#events.push(event);
    this.onEvent?.(event.name);
    this.changed();
  }
}

/** Demands a GatewayError with one of `codes`, or with any if none is given. */
export function demandCode(
  error: Error | undefined,
  codes: readonly GatewayErrorCode[],
  event: string,
): void {
  const code = error instanceof GatewayError ? error.code : undefined;
  if (code === undefined || (codes.length > 0 && !codes.includes(code)))
    throw new Mismatch(`${event} ${error}, in place of a GatewayError ${codes.join(" or ")}`);
}

function formatEnd(end: RelayEnd): string {
  const error = end.error ? ` ${end.error.message}` : "";
  return `${end.reason}${error} ${end.bytesFromClient}/${end.bytesFromBackend}`;
}

/** A listener of the relay, and the clients that it accepted. */
export class TestListener extends Waitable {
  /** What listen() resolved with, once it has. */
  bound: Listener | undefined;
  /** How many clients it accepted. */
  acceptedCount = 0;
  readonly #open: Set<AcceptedClient> = new Set();
  /** By the client's port, until a case asks for them: ports are reused. */
  readonly #unclaimed: Map<number, AcceptedClient> = new Map();

  get address(): Address {
    if (!this.bound) throw new Mismatch("listen() has not resolved yet");
    return this.bound.address;
  }

  /** Those that have not ended. */
  get open(): readonly AcceptedClient[] {
    return [...this.#open];
  }

  add(accepted: AcceptedClient): void {
    this.acceptedCount += 1;
    this.#open.add(accepted);
    this.#unclaimed.set(accepted.client.address.port, accepted);
    this.changed();
  }

  remove(accepted: AcceptedClient): void {
    this.#open.delete(accepted);
  }

  /** The accepted client that has this local port. */
  async acceptedFrom(port: number): Promise<AcceptedClient> {
    const accepted = await this.until(
      () => this.#unclaimed.get(port),
      () => `onClient() is missing for port ${port} (so far it was called for ${this.acceptedCount} clients)`,
    );
    this.#unclaimed.delete(port);
    return accepted;
  }
}
