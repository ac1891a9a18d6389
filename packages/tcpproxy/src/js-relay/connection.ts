import type { Socket } from "node:net";
import {
  type Address,
  type ClientEvents,
  GatewayError,
  type RelayClient,
  type RelayEnd,
  type RelaySettings,
  unixAddress,
} from "@gw/interface";
import { Dial, type DialContext } from "./dial.js";
import { Direction, type DirectionContext } from "./direction.js";
import { Stalls } from "./stalls.js";
import type { Ticker, Ticking } from "./ticker.js";
import { hasTimeouts, Timeouts } from "./timeouts.js";

/** What the connections of one listener share. */
export interface ConnectionContext extends DirectionContext {
  readonly settings: RelaySettings;
  /** Whether clients come through a Unix socket. */
  readonly isUnix: boolean;
  readonly dials: DialContext;
  readonly ticker: Ticker;
  /** For clients that wait. */
  readonly stallTicker: Ticker;
  /** Between two ticks, in milliseconds. */
  readonly tickMs: number;
  /** A connection has ended. */
  readonly onEnded: () => void;
}

type Cause = Pick<RelayEnd, "reason" | "error">;

/** The address of a client that had left before it was read. */
const unknown: Address = Object.freeze({ host: "", port: 0 });

const unixClient: Address = Object.freeze(unixAddress());

const finished: Cause = { reason: "finished" };

/**
 * A client, and its backend once there is one: two directions, of which one is read from each. It ends when all of its
 * sockets are closed.
 */
export class Connection implements RelayClient, Ticking {
  tickerPlace = 0;
  readonly #context: ConnectionContext;
  readonly #fromClient: Direction;
  #fromBackend: Direction | undefined;
  #dial: Dial | undefined;
  /** By the ticker, if there are timeouts; -1 before. */
  #connectedAtMs = -1;
  /** From the first tick after that. */
  #timeouts: Timeouts | undefined;
  /** From the dial to the end, if there is a stall timeout. */
  #stalls: Stalls | undefined;
  #events: ClientEvents | undefined;
  /** Sockets that are not closed; those of a dial do not count. */
  #open = 1;
  /** Set by the first cause that ends the connection before it is finished; later ones are its consequences. */
  #cause: Cause | undefined;
  #endedFirst: RelayEnd["endedFirst"];
  /** What the client had seen when its side ended before the backend's. */
  #left: { readonly waitedMs: number | undefined; readonly bytesFromBackend: number } | undefined;

  /** @param client an accepted socket, which is reading */
  constructor(client: Socket, context: ConnectionContext) {
    this.#context = context;
    this.#fromClient = new Direction("client", client, this, context);
  }

  /** The system is asked once, when the address is first read. */
  get address(): Address {
    if (this.#context.isUnix) return unixClient;
    const { remoteAddress: host, remotePort: port } = this.#fromClient.from;
    return host === undefined || port === undefined ? unknown : { host, port };
  }

  get bytesFromClient(): number {
    return this.#fromClient.bytes;
  }

  get bytesFromBackend(): number {
    return this.#fromBackend?.bytes ?? 0;
  }

  get waitingMs(): number | undefined {
    return this.#stalls?.waitingMs;
  }

  get answeredMs(): number | undefined {
    return this.#stalls?.answeredMs;
  }

  /** Reports to `events` from now on. Called before anything can have happened. */
  start(events: ClientEvents): void {
    this.#events = events;
    this.#context.ticker.add(this, this.#context.tickMs);
  }

  dial(addresses: readonly Address[], timeoutMs: number): void {
    if (this.#cause || this.#open === 0) return;
    if (this.#dial || this.#fromBackend)
      throw new GatewayError("invalid-option", "a client is dialled for once at a time");
    if (addresses.length === 0) throw new GatewayError("invalid-option", "there is no address to dial");
    this.#dial = new Dial(addresses, timeoutMs, this.#context.dials, this);
    this.#dial.start();
  }

  cancelDial(): void {
    this.#dial?.cancel();
    this.#dial = undefined;
  }

  close(): void {
    if (this.#cause || this.#fromBackend) return;
    this.#cause = { reason: "closed" };
    this.cancelDial();
    // Where bytes are still in the kernel, it resets the connection by itself.
    if (this.#fromClient.bytes > 0) this.#resetClient();
    else this.#fromClient.from.destroy();
  }

  abort(): void {
    this.#reset({ reason: "aborted" });
  }

  /** Called by the dial. */
  onDialled(backend: Socket, address: Address): void {
    const { settings, ticker, stallTicker } = this.#context;
    const { stallTimeoutMs = 0 } = settings;
    this.#dial = undefined;
    this.#open += 1;
    this.#fromBackend = new Direction("backend", backend, this, this.#context);
    if (hasTimeouts(settings)) this.#connectedAtMs = ticker.nowMs;
    if (stallTimeoutMs > 0) {
      this.#stalls = new Stalls(this.#fromBackend, stallTimeoutMs, stallTicker, this);
      if (this.#fromClient.bytes > 0) this.#stalls.onRead(true);
    }
    this.#fromClient.start(backend);
    this.#fromBackend.start(this.#fromClient.from);
    this.#events?.connected(address);
  }

  /** Called by the dial. */
  onDialFailed(error: GatewayError): void {
    this.#dial = undefined;
    this.#events?.dialFailed(error);
  }

  /** Called by a direction. */
  onRead(direction: Direction): void {
    this.#stalls?.onRead(direction === this.#fromClient);
  }

  /** Called by the stalls. */
  onStalled(): void {
    if (!this.#cause) this.#events?.stalled?.();
  }

  /** Called by a direction. */
  onInputEnded({ side }: Direction): void {
    this.#sideEnded(side);
  }

  /** Called by a direction. */
  onFailed({ side }: Direction, error: Error): void {
    if (!this.#cause) this.#sideEnded(side);
    this.#reset({ reason: `${side}-failed`, error: GatewayError.from(error, side) });
  }

  /** Called by a direction. */
  onClosed({ side, eof }: Direction): void {
    this.#open -= 1;
    const other = side === "client" ? this.#fromBackend : this.#fromClient;
    if (!eof || !other?.isFinished) {
      if (!this.#cause) this.#sideEnded(side);
      this.#reset({ reason: `${side}-failed` });
    }
    if (this.#open === 0) this.#end();
  }

  /** Called by the ticker. */
  tick(nowMs: number): void {
    this.#fromClient.checkForReset();
    this.#fromBackend?.checkForReset();
    if (!this.#fromBackend || this.#connectedAtMs < 0) return;
    this.#timeouts ??= new Timeouts(
      this.#fromClient,
      this.#fromBackend,
      this.#context.settings,
      this.#connectedAtMs,
    );
    const error = this.#timeouts.expired(nowMs);
    if (error) this.#reset({ reason: "timed-out", error });
  }

  /** The output of a side has ended, or the side has failed. */
  #sideEnded(side: Direction["side"]): void {
    if (this.#endedFirst) return;
    this.#endedFirst = side;
    if (side === "client")
      this.#left = { waitedMs: this.#stalls?.waitingMs, bytesFromBackend: this.bytesFromBackend };
  }

  /** See {@link RelayEnd.waitedMs}. */
  #waitedMs(reason: RelayEnd["reason"]): number | undefined {
    if (reason === "client-failed" || reason === "backend-failed") return this.#left?.waitedMs;
    // It only ended its output, and has taken what the backend sent after that.
    const isServed = this.bytesFromBackend !== this.#left?.bytesFromBackend;
    return reason === "finished" && !isServed ? this.#left?.waitedMs : undefined;
  }

  /** Resets both sides: the one that did not fail must not mistake the end of its input for a complete one. */
  #reset(cause: Cause): void {
    this.#cause ??= cause;
    this.cancelDial();
    this.#resetClient();
    if (this.#fromBackend) reset(this.#fromBackend.from);
  }

  /** Unix sockets have no reset. */
  #resetClient(): void {
    if (this.#context.isUnix) this.#fromClient.from.destroy();
    else reset(this.#fromClient.from);
  }

  #end(): void {
    this.#context.ticker.delete(this);
    this.#stalls?.stop();
    this.#stalls = undefined;
    this.#context.onEnded();
    const { bytesFromClient, bytesFromBackend } = this;
    const { reason, error } = this.#cause ?? finished;
    const waitedMs = this.#waitedMs(reason);
    const end: { -readonly [field in keyof RelayEnd]: RelayEnd[field] } = {
      reason,
      bytesFromClient,
      bytesFromBackend,
    };
    if (error) end.error = error;
    if (this.#endedFirst) end.endedFirst = this.#endedFirst;
    if (waitedMs !== undefined) end.waitedMs = waitedMs;
    this.#events?.ended(end);
  }
}

/** Closes with a reset. libuv cannot while a shutdown is under way, so wait for that: it has nothing to flush. */
function reset(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.writableEnded && !socket.writableFinished) socket.once("finish", () => socket.resetAndDestroy());
  else socket.resetAndDestroy();
}
