import {
  type Address,
  type ClientEvents,
  formatAddress,
  GatewayError,
  type RelayClient,
  type RelayEnd,
  type RelaySettings,
} from "@gw/interface";
import { type Binding, type Engine, systemError } from "./binding.js";
import { endOf } from "./ends.js";

/** What the clients of one listener share. */
export interface Shared {
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

/** A time as the engine takes it: whole milliseconds, at most 2³¹ − 1. What is more than 0 stays so. */
function engineMs(ms: number): number {
  return Math.min(Math.ceil(ms), 2 ** 31 - 1);
}

/** A client of the engine. There is one for each open connection, so there is little of it. */
export class NativeClient implements RelayClient {
  /** Who follows it; undefined if it was refused. */
  events: ClientEvents | undefined;
  readonly #shared: Shared;
  /** Its number in the engine until it has ended; -1 after. */
  #slot: number;
  /** What is being dialled; when it has ended, how. */
  #last: Dial | RelayEnd | undefined;
  /** {@link Shared.takes} at the last order: what was taken before it tells of a dial that is no more. */
  #orderedAt = 0;

  constructor(slot: number, shared: Shared) {
    this.#slot = slot;
    this.#shared = shared;
  }

  get address(): Address {
    if (this.#slot < 0) return { host: "", port: 0 };
    const { binding, engine } = this.#shared;
    const [host, port] = binding.peer(engine, this.#slot);
    return { host, port };
  }

  get bytesFromClient(): number {
    return this.#slot < 0 ? (this.#last as RelayEnd).bytesFromClient : this.#bytes(0);
  }

  get bytesFromBackend(): number {
    return this.#slot < 0 ? (this.#last as RelayEnd).bytesFromBackend : this.#bytes(1);
  }

  dial(addresses: readonly Address[], timeoutMs: number): void {
    if (this.#slot < 0) return;
    const { binding, engine } = this.#shared;
    const [first, second] = addresses;
    if (!first) throw new GatewayError("invalid-option", "there is no address to dial");
    const dial = { addresses, timeoutMs };
    this.#ordered(dial);
    if (second) {
      const list = addresses.flatMap(({ host, port }) => [host, port]);
      binding.dialAny(engine, this.#slot, list, engineMs(timeoutMs));
      return;
    }
    const error = binding.dial(engine, this.#slot, first.host, first.port, engineMs(timeoutMs));
    if (error !== 0) process.nextTick(() => this.#last === dial && this.#failed(dial, error, 0));
  }

  cancelDial(): void {
    if (this.#slot < 0) return;
    this.#ordered(undefined);
    this.#shared.binding.cancelDial(this.#shared.engine, this.#slot);
  }

  close(): void {
    if (this.#slot < 0) return;
    this.#ordered(undefined);
    this.#shared.binding.close(this.#shared.engine, this.#slot);
  }

  abort(): void {
    if (this.#slot < 0) return;
    this.#ordered(undefined);
    this.#shared.binding.abort(this.#shared.engine, this.#slot);
  }

  /** The dial succeeded, with the address of this number. */
  connected(index: number): void {
    if (this.#orderedAt === this.#shared.takes.count) return;
    const { addresses } = this.#last as Dial;
    this.#last = undefined;
    this.events?.connected(addresses[index] as Address);
  }

  /** The dial failed with an errno, which is of the address of this number. */
  failed(errno: number, index: number): void {
    if (this.#orderedAt === this.#shared.takes.count) return;
    this.#failed(this.#last as Dial, errno, index);
  }

  #ordered(dial: Dial | undefined): void {
    this.#last = dial;
    this.#orderedAt = this.#shared.takes.count;
  }

  #failed({ addresses, timeoutMs }: Dial, errno: number, index: number): void {
    const doing = `dial ${formatAddress(addresses[index] as Address)}`;
    const error = GatewayError.from(systemError(errno, "connect"), doing);
    const late = error.code === "timed-out";
    this.events?.dialFailed(
      late ? new GatewayError("timed-out", `${doing}: no answer within ${timeoutMs} ms`) : error,
    );
  }

  /** It has ended: the engine knows its number no more. */
  over(events: Float64Array, at: number): void {
    const end = endOf(events, at, this.#shared.settings);
    this.#slot = -1;
    this.#last = end;
    this.events?.ended(end);
  }

  #bytes(side: 0 | 1): number {
    return this.#shared.binding.bytes(this.#shared.engine, this.#slot, side);
  }
}
