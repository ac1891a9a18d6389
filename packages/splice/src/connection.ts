import {
  type Address,
  type ClientEvents,
  type EndCause,
  formatAddress,
  GatewayError,
  type PlannedDial,
  type RelayClient,
  type RelayEnd,
  type RelaySettings,
} from "@gw/interface";
import { type Binding, type Engine, endReasons, systemError } from "./binding.js";
import { engineMs } from "./stock.js";

/** What the connections of one listener share. */
export interface ConnectionContext {
  readonly binding: Binding;
  readonly engine: Engine;
  readonly settings: RelaySettings;
  /** How often events were taken from the engine. */
  readonly takes: { count: number };
}

/**
 * A connection of the engine as the proxy sees it. Orders go to the engine; the relay passes the engine's events to it.
 * There is one for each open connection, so it is small.
 */
export class Connection implements RelayClient {
  /** Undefined if the client was refused. */
  events: ClientEvents | undefined;
  readonly #context: ConnectionContext;
  /** Its slot in the engine; -1 once it has ended, when the slot is no longer valid. */
  #slot: number;
  /** The dial under way; how the connection ended, once it has. */
  #dialOrEnd: PlannedDial | RelayEnd | undefined;
  /** {@link ConnectionContext.takes} at the last order: events of the same take are older than the order. */
  #orderedAtTake = 0;

  /** @param dial which the engine has begun already */
  constructor(slot: number, context: ConnectionContext, dial: PlannedDial | undefined) {
    this.#slot = slot;
    this.#context = context;
    this.#dialOrEnd = dial;
  }

  get address(): Address {
    if (this.#slot < 0) return { host: "", port: 0 };
    const { binding, engine } = this.#context;
    const [host, port] = binding.peer(engine, this.#slot);
    return { host, port };
  }

  get bytesFromClient(): number {
    return this.#slot < 0 ? (this.#dialOrEnd as RelayEnd).bytesFromClient : this.#bytes(0);
  }

  get bytesFromBackend(): number {
    return this.#slot < 0 ? (this.#dialOrEnd as RelayEnd).bytesFromBackend : this.#bytes(1);
  }

  get waitingMs(): number | undefined {
    if (this.#slot < 0) return undefined;
    const ms = this.#context.binding.waiting(this.#context.engine, this.#slot);
    return ms < 0 ? undefined : ms;
  }

  get answeredMs(): number | undefined {
    if (this.#slot < 0) return undefined;
    const ms = this.#context.binding.answered(this.#context.engine, this.#slot);
    return ms < 0 ? undefined : ms;
  }

  dial(addresses: readonly Address[], timeoutMs: number): void {
    if (this.#slot < 0) return;
    const { binding, engine } = this.#context;
    if (addresses.length === 0) throw new GatewayError("invalid-option", "there is no address to dial");
    const dial = { addresses, timeoutMs };
    this.#recordOrder(dial);
    const list = addresses.flatMap(({ host, port }) => [host, port]);
    const error = binding.dial(engine, this.#slot, list, engineMs(timeoutMs));
    if (error !== 0) process.nextTick(() => this.#dialOrEnd === dial && this.#dialFailed(dial, error, 0));
  }

  cancelDial(): void {
    if (this.#slot < 0) return;
    this.#recordOrder(undefined);
    this.#context.binding.cancelDial(this.#context.engine, this.#slot);
  }

  close(): void {
    if (this.#slot < 0) return;
    this.#recordOrder(undefined);
    this.#context.binding.close(this.#context.engine, this.#slot);
  }

  abort(): void {
    if (this.#slot < 0) return;
    this.#recordOrder(undefined);
    this.#context.binding.abort(this.#context.engine, this.#slot);
  }

  /**
   * Called by the relay: the dial succeeded, with the address of this index.
   *
   * @param tookUs microseconds since the client was accepted; 0 unless the dial was one of the stock
   */
  onConnected(index: number, tookUs: number): void {
    if (this.#orderedAtTake === this.#context.takes.count) return;
    const { addresses } = this.#dialOrEnd as PlannedDial;
    this.#dialOrEnd = undefined;
    const address = addresses[index] as Address;
    if (tookUs > 0) this.events?.connected(address, tookUs / 1000);
    else this.events?.connected(address);
  }

  /** Called by the relay: the dial failed with an errno, which the address of this index had. */
  onDialFailed(errno: number, index: number): void {
    if (this.#orderedAtTake === this.#context.takes.count) return;
    this.#dialFailed(this.#dialOrEnd as PlannedDial, errno, index);
  }

  /** Called by the relay: the client waits for longer than the stall timeout. */
  onStalled(): void {
    if (this.#orderedAtTake !== this.#context.takes.count) this.events?.stalled?.();
  }

  /** Called before each order. @param dial the dial that is under way from now on */
  #recordOrder(dial: PlannedDial | undefined): void {
    this.#dialOrEnd = dial;
    this.#orderedAtTake = this.#context.takes.count;
  }

  #dialFailed({ addresses, timeoutMs }: PlannedDial, errno: number, index: number): void {
    const operation = `dial ${formatAddress(addresses[index] as Address)}`;
    const error = GatewayError.from(systemError(errno, "connect"), operation);
    this.events?.dialFailed(
      error.code === "timed-out"
        ? new GatewayError("timed-out", `${operation}: no answer within ${timeoutMs} ms`)
        : error,
    );
  }

  /** Called by the relay, with the position of the event. */
  onEnded(events: Float64Array, at: number): void {
    const end = endOf(events, at, this.#context.settings);
    this.#slot = -1;
    this.#dialOrEnd = end;
    this.events?.ended(end);
  }

  #bytes(side: 0 | 1): number {
    return this.#context.binding.bytes(this.#context.engine, this.#slot, side);
  }
}

/** `ended_first` of the engine. */
const sides = [undefined, "client", "backend"] as const;

/** How a connection ended, from the event at position `at`. */
function endOf(events: Float64Array, at: number, settings: RelaySettings): RelayEnd {
  const code = events[at + 2] as number;
  const reason = endReasons[code & 0xff] ?? "aborted";
  const [endedFirst, waitedMs] = [sides[code >> 8], events[at + 6] as number];
  // Properties are added one by one: there is an end for each connection, and a spread is slow.
  const end: { -readonly [Name in keyof RelayEnd]: RelayEnd[Name] } = {
    reason: reason !== "finished" && isTimeout(reason) ? "timed-out" : reason,
    bytesFromClient: events[at + 4] as number,
    bytesFromBackend: events[at + 5] as number,
  };
  if (endedFirst) end.endedFirst = endedFirst;
  if (waitedMs > 0) end.waitedMs = waitedMs;
  const error = errorOf(reason, events[at + 3] as number, settings);
  if (error) end.error = error;
  return end;
}

type EndReason = (typeof endReasons)[number];

function isTimeout(reason: EndReason): reason is keyof typeof timeoutTexts {
  return reason in timeoutTexts;
}

function errorOf(reason: EndReason, errno: number, settings: RelaySettings): GatewayError | undefined {
  if (reason === "finished" || reason === "closed") return undefined;
  if (isTimeout(reason))
    return new GatewayError("timed-out", timeoutTexts[reason](settings), { cause: timeoutCauses[reason] });
  if (reason === "aborted")
    return errno === 0 ? undefined : GatewayError.from(systemError(errno, "relay"), "this machine");
  return GatewayError.from(systemError(errno, "read"), reason === "client-failed" ? "client" : "backend");
}

const timeoutCauses = {
  idle: "idle-timeout",
  "half-closed": "half-close-timeout",
  blocked: "write-timeout",
} as const satisfies { readonly [reason: string]: EndCause };

const timeoutTexts = {
  idle: ({ idleTimeoutMs }: RelaySettings) => `no byte in either direction for ${idleTimeoutMs} ms`,
  "half-closed": ({ halfCloseTimeoutMs }: RelaySettings) =>
    `half-closed, and no byte for ${halfCloseTimeoutMs} ms`,
  blocked: ({ writeTimeoutMs }: RelaySettings) =>
    `one side accepted no pending bytes for ${writeTimeoutMs} ms`,
};
