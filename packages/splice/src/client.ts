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

/** A client of the engine. There is one for each open connection, so there is little of it. */
export class NativeClient implements RelayClient {
  /** Who follows it; undefined if it was refused. */
  events: ClientEvents | undefined;
  readonly settings: RelaySettings;
  readonly #binding: Binding;
  readonly #engine: Engine;
  /** Its number in the engine until it has ended; -1 after. */
  #slot: number;
  /** What is being dialled; when it has ended, how. */
  #last: Address | RelayEnd | undefined;
  #timeoutMs = 0;

  constructor(binding: Binding, engine: Engine, slot: number, settings: RelaySettings) {
    this.#binding = binding;
    this.#engine = engine;
    this.#slot = slot;
    this.settings = settings;
  }

  get address(): Address {
    if (this.#slot < 0) return { host: "", port: 0 };
    const [host, port] = this.#binding.peer(this.#engine, this.#slot);
    return { host, port };
  }

  get bytesFromClient(): number {
    if (this.#slot >= 0) return this.#binding.bytes(this.#engine, this.#slot, 0);
    return (this.#last as RelayEnd).bytesFromClient;
  }

  get bytesFromBackend(): number {
    if (this.#slot >= 0) return this.#binding.bytes(this.#engine, this.#slot, 1);
    return (this.#last as RelayEnd).bytesFromBackend;
  }

  dial(address: Address, timeoutMs: number): void {
    if (this.#slot < 0) return;
    this.#last = address;
    this.#timeoutMs = timeoutMs;
    const error = this.#binding.dial(this.#engine, this.#slot, address.host, address.port, timeoutMs);
    if (error !== 0) process.nextTick(() => this.failed(error));
  }

  cancelDial(): void {
    if (this.#slot >= 0) this.#binding.cancelDial(this.#engine, this.#slot);
  }

  close(): void {
    if (this.#slot >= 0) this.#binding.close(this.#engine, this.#slot);
  }

  kill(): void {
    if (this.#slot >= 0) this.#binding.kill(this.#engine, this.#slot);
  }

  /** The dial failed with an errno. */
  failed(errno: number): void {
    if (this.#slot < 0) return;
    const doing = `dial ${formatAddress(this.#last as Address)}`;
    const error = GatewayError.from(systemError(errno, "connect"), doing);
    const late = error.code === "timed-out";
    this.events?.dialFailed(
      late ? new GatewayError("timed-out", `${doing}: no answer within ${this.#timeoutMs} ms`) : error,
    );
  }

  /** It has ended: the engine knows its number no more. */
  over(end: RelayEnd): void {
    this.#slot = -1;
    this.#last = end;
    this.events?.ended(end);
  }
}
