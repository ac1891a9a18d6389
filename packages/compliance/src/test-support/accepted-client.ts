import {
  type Address,
  type ClientEvents,
  formatAddress,
  GatewayError,
  type GatewayErrorCode,
  type Listener,
  type RelayClient,
  type RelayEnd,
} from "@gw/interface";
import { Changing, Surprise } from "./waitable.js";

type Event =
  | { readonly name: "connected"; readonly address: Address }
  | { readonly name: "dialFailed"; readonly error: GatewayError }
  | { readonly name: "ended"; readonly end: RelayEnd };

/** A breach of what holds at any time, and so in every case. */
export type Breach = { readonly contract: string; readonly seen: string };

export const always = {
  once: "ended() is the last event, exactly once for every client that was not refused.",
  outside: "Events are never called from within a method of the RelayClient.",
  dial: "After dial() comes one of connected(), dialFailed() and ended(); without a dial, only ended().",
  counters: "bytesFromClient and bytesFromBackend count the bytes read from each side.",
};

/** A client that the relay accepted, as its proxy sees it: all events are kept until they are asked for. */
export class Served extends Changing implements ClientEvents {
  readonly client: RelayClient;
  /** Called within each event, after it was recorded. */
  react: ((name: Event["name"]) => void) | undefined;
  /** Whether a dial has succeeded. */
  hasBackend = false;
  end: RelayEnd | undefined;
  onEnd: (() => void) | undefined;
  readonly #breach: (breach: Breach) => void;
  readonly #events: Event[] = [];
  /** All that was called and all that came. */
  readonly #log: string[] = [];
  #dialling = false;
  #within: string | undefined;

  constructor(client: RelayClient, limitMs: number, breach: (breach: Breach) => void) {
    super(limitMs);
    this.client = client;
    this.#breach = breach;
  }

  /** @param timeoutMs by default so long that what waits for it fails before */
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

  kill(): void {
    this.#dialling = false;
    this.#call("kill()", () => this.client.abort());
  }

  connected(address: Address): void {
    this.#record({ name: "connected", address });
  }

  dialFailed(error: GatewayError): void {
    this.#record({ name: "dialFailed", error });
  }

  ended(end: RelayEnd): void {
    this.#record({ name: "ended", end });
  }

  /** How many events nobody has asked for yet. */
  get pending(): number {
    return this.#events.length;
  }

  /** Demands that the next event says that the dial succeeded; and that `address` accepted, if that is given. */
  async isConnected(address?: Address): Promise<void> {
    const { address: told } = await this.#next("connected");
    if (address && formatAddress(told) !== formatAddress(address))
      throw new Surprise(`connected() with ${formatAddress(told)}, in place of ${formatAddress(address)}`);
  }

  /**
   * After a dial that was given up and another: demands that the next event says that this one succeeded, and tells
   * true; or that bytes had moved already, so that the client had to be reset, and tells false.
   */
  async isConnectedUnlessTooLate(): Promise<boolean> {
    const event = await this.until(
      () => this.#events.shift(),
      () => `connected() is missing (so far: ${this})`,
    );
    if (event.name === "connected") return true;
    const moved = event.name === "ended" && event.end.bytesFromClient + event.end.bytesFromBackend > 0;
    if (moved && event.end.reason === "aborted") return false;
    throw new Surprise(`${event.name}() in place of connected() (so far: ${this})`);
  }

  /** Demands that the next event says that the dial failed, and why. */
  async failsToDial(...codes: readonly GatewayErrorCode[]): Promise<void> {
    const { error } = await this.#next("dialFailed");
    demandCode(error, codes, "dialFailed() with");
  }

  /** Demands that the next event is the end, for `reason`, and with an error of `code` if that is given. */
  async ends(reason: RelayEnd["reason"], code?: GatewayErrorCode): Promise<RelayEnd> {
    const { end } = await this.#next("ended");
    if (end.reason !== reason) throw new Surprise(`ended() with ${sketch(end)}, in place of ${reason}`);
    if (code) demandCode(end.error, [code], "ended() with");
    return end;
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
    throw new Surprise(`${event.name}() in place of ${name}() (so far: ${this})`);
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

  #record(event: Event): void {
    this.#log.push(`${event.name}(${event.name === "ended" ? sketch(event.end) : ""})`);
    const seen = String(this);
    if (this.#within)
      this.#breach({ contract: always.outside, seen: `${event.name}() within ${this.#within}` });
    if (this.end) this.#breach({ contract: always.once, seen });
    if (event.name !== "ended" && !this.#dialling) this.#breach({ contract: always.dial, seen });
    this.#dialling = false;
    if (event.name === "connected") this.hasBackend = true;
    if (event.name === "ended") {
      this.end = event.end;
      this.onEnd?.();
      const { bytesFromClient, bytesFromBackend } = this.client;
      if (bytesFromClient !== event.end.bytesFromClient || bytesFromBackend !== event.end.bytesFromBackend)
        this.#breach({
          contract: always.counters,
          seen: `ended() with ${sketch(event.end)}, but the RelayClient says ${bytesFromClient}/${bytesFromBackend}`,
        });
    }
    this.#events.push(event);
    this.react?.(event.name);
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
    throw new Surprise(`${event} ${error}, in place of a GatewayError ${codes.join(" or ")}`);
}

function sketch(end: RelayEnd): string {
  const error = end.error ? ` ${end.error.message}` : "";
  return `${end.reason}${error} ${end.bytesFromClient}/${end.bytesFromBackend}`;
}

/** A listener of the relay, and the clients that it told of. */
export class Door extends Changing {
  listener: Listener | undefined;
  /** How many clients it told of. */
  count = 0;
  readonly #open: Set<Served> = new Set();
  /** By the client's port, those that nobody has asked for yet: ports are used again. */
  readonly #awaited: Map<number, Served> = new Map();

  get address(): Address {
    if (!this.listener) throw new Surprise("listen() has not resolved yet");
    return this.listener.address;
  }

  /** Those whose end has not been told. */
  get open(): readonly Served[] {
    return [...this.#open];
  }

  accepted(served: Served): void {
    this.count += 1;
    this.#open.add(served);
    this.#awaited.set(served.client.address.port, served);
    this.changed();
  }

  ended(served: Served): void {
    this.#open.delete(served);
  }

  /** What the relay tells of the client with this local port. */
  async servedOf(port: number): Promise<Served> {
    const served = await this.until(
      () => this.#awaited.get(port),
      () => `onClient() is missing for port ${port} (so far it was called for ${this.count} clients)`,
    );
    this.#awaited.delete(port);
    return served;
  }
}
