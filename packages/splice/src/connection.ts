import {
  type Address,
  type ClientEvents,
  formatAddress,
  GatewayError,
  type RelayClient,
  type RelayEnd,
  type RelaySettings,
} from "@gw/interface";
import { type Binding, type Engine, endReasons, systemError } from "./binding.js";

/** What the connections of one listener share. */
export interface ConnectionContext {
  readonly binding: Binding;
  readonly engine: Engine;
  readonly settings: RelaySettings;
  /** How often events were taken from the engine. */
  readonly takes: { count: number };
}

/** A dial that was ordered. */
interface Dial {
  readonly addresses: readonly Address[];
  readonly timeoutMs: number;
}

/** A time for the engine: whole milliseconds, rounded up, at most 2³¹ − 1. */
function engineMs(ms: number): number {
  return Math.min(Math.ceil(ms), 2 ** 31 - 1);
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
  #dialOrEnd: Dial | RelayEnd | undefined;
  /** {@link ConnectionContext.takes} at the last order: events of the same take are older than the order. */
  #orderedAtTake = 0;

  constructor(slot: number, context: ConnectionContext) {
    this.#slot = slot;
    this.#context = context;
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
    const [first, second] = addresses;
    if (!first) throw new GatewayError("invalid-option", "there is no address to dial");
    const dial = { addresses, timeoutMs };
    this.#recordOrder(dial);
    if (second) {
      const list = addresses.flatMap(({ host, port }) => [host, port]);
      binding.dialAny(engine, this.#slot, list, engineMs(timeoutMs));
      return;
    }
    const error = binding.dial(engine, this.#slot, first.host, first.port, engineMs(timeoutMs));
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

  /** Called by the relay: the dial succeeded, with the address of this index. */
  onConnected(index: number): void {
    if (this.#orderedAtTake === this.#context.takes.count) return;
    const { addresses } = this.#dialOrEnd as Dial;
    this.#dialOrEnd = undefined;
    this.events?.connected(addresses[index] as Address);
  }

  /** Called by the relay: the dial failed with an errno, which the address of this index had. */
  onDialFailed(errno: number, index: number): void {
    if (this.#orderedAtTake === this.#context.takes.count) return;
    this.#dialFailed(this.#dialOrEnd as Dial, errno, index);
  }

  /** Called by the relay: the client waits for longer than the stall timeout. */
  onStalled(): void {
    if (this.#orderedAtTake !== this.#context.takes.count) this.events?.stalled?.();
  }

  /** Called before each order. @param dial the dial that is under way from now on */
  #recordOrder(dial: Dial | undefined): void {
    this.#dialOrEnd = dial;
    this.#orderedAtTake = this.#context.takes.count;
  }

  #dialFailed({ addresses, timeoutMs }: Dial, errno: number, index: number): void {
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
  const endedFirst = sides[code >> 8];
  const end = endFor(endReasons[code & 0xff] ?? "aborted", events, at, settings);
  const waitedMs = events[at + 6] as number;
  return { ...end, ...(endedFirst && { endedFirst }), ...(waitedMs > 0 && { waitedMs }) };
}

function endFor(
  reason: (typeof endReasons)[number],
  events: Float64Array,
  at: number,
  settings: RelaySettings,
): RelayEnd {
  const bytesFromClient = events[at + 4] as number;
  const bytesFromBackend = events[at + 5] as number;
  switch (reason) {
    case "client-failed":
    case "backend-failed": {
      const side = reason === "client-failed" ? "client" : "backend";
      const error = GatewayError.from(systemError(events[at + 3] as number, "read"), side);
      return { reason, error, bytesFromClient, bytesFromBackend };
    }
    case "idle":
    case "half-closed":
    case "blocked": {
      const error = new GatewayError("timed-out", timeoutTexts[reason](settings));
      return { reason: "timed-out", error, bytesFromClient, bytesFromBackend };
    }
    case "aborted": {
      const errno = events[at + 3] as number;
      const error =
        errno === 0 ? {} : { error: GatewayError.from(systemError(errno, "relay"), "this machine") };
      return { reason, ...error, bytesFromClient, bytesFromBackend };
    }
    default:
      return { reason, bytesFromClient, bytesFromBackend };
  }
}

const timeoutTexts = {
  idle: ({ idleTimeoutMs }: RelaySettings) => `no byte in either direction for ${idleTimeoutMs} ms`,
  "half-closed": ({ halfCloseTimeoutMs }: RelaySettings) =>
    `half-closed, and no byte for ${halfCloseTimeoutMs} ms`,
  blocked: ({ writeTimeoutMs }: RelaySettings) =>
    `one side accepted no pending bytes for ${writeTimeoutMs} ms`,
};
