import type { Socket } from "node:net";
import {
  type Address,
  type ClientEvents,
  GatewayError,
  type RelayClient,
  type RelayEnd,
  type RelaySettings,
} from "@gw/interface";
import type { Buffers } from "./buffers.js";
import { Dial, type DialContext, type DialOwner } from "./dial.js";
import { Direction, type DirectionOwner } from "./direction.js";
import type { Ticker, Ticking } from "./ticker.js";
import { hasTimeouts, Timeouts } from "./timeouts.js";

/** What the connections of one listener share. */
export interface ListenerContext extends DialContext {
  readonly settings: RelaySettings;
  readonly staging: Buffers;
  /** Of all connections. */
  readonly connections: Ticker;
  /** Between two sweeps of `connections`, in milliseconds. */
  readonly periodMs: number;
  /** Sets how TCP keepalive probes are sent. For a connected socket: libuv would set its own first, and then these. */
  keepAlive(socket: Socket): void;
  /** A connection has ended. */
  onEnded(): void;
}

/** A client, and its backend once there is one. It ends when all of its sockets are closed. */
export class Connection implements RelayClient, DirectionOwner, DialOwner, Ticking {
  readonly address: Address;
  readonly #around: ListenerContext;
  readonly #up: Direction;
  #down: Direction | undefined;
  #race: Dial | undefined;
  #patience: Timeouts | undefined;
  #events: ClientEvents | undefined;
  /** Sockets that are not closed; those of a race do not count. */
  #open = 1;
  /** Set by the first thing that ends the connection before it is finished; what follows from it is no reason. */
  #cut: Pick<RelayEnd, "reason" | "error"> | undefined;
  #endedFirst: RelayEnd["endedFirst"];

  /** @param client an accepted socket, which is reading */
  constructor(client: Socket, address: Address, around: ListenerContext) {
    this.address = address;
    this.#around = around;
    this.#up = new Direction(client, this, around.staging);
  }

  get bytesFromClient(): number {
    return this.#up.bytes;
  }

  get bytesFromBackend(): number {
    return this.#down?.bytes ?? 0;
  }

  /** Says who is told from now on; before anything can have happened. */
  follow(events: ClientEvents): void {
    this.#events = events;
    this.#around.connections.add(this, this.#around.periodMs);
  }

  dial(addresses: readonly Address[], timeoutMs: number): void {
    if (this.#cut || this.#open === 0) return;
    if (this.#race || this.#down)
      throw new GatewayError("invalid-option", "a client is dialled for once at a time");
    if (addresses.length === 0) throw new GatewayError("invalid-option", "there is no address to dial");
    this.#race = new Dial(addresses, timeoutMs, this.#around, this);
    this.#race.start();
  }

  cancelDial(): void {
    this.#race?.cancel();
    this.#race = undefined;
  }

  close(): void {
    if (this.#cut || this.#down) return;
    this.#cut = { reason: "closed" };
    this.cancelDial();
    // Bytes that are still in the kernel make it reset the connection by itself.
    if (this.#up.bytes > 0) reset(this.#up.from);
    else this.#up.from.destroy();
  }

  abort(): void {
    this.#reset({ reason: "aborted" });
  }

  onDialled(backend: Socket, address: Address): void {
    this.#race = undefined;
    this.#around.keepAlive(backend);
    const { connections, settings, staging } = this.#around;
    this.#open += 1;
    this.#down = new Direction(backend, this, staging);
    if (hasTimeouts(settings))
      this.#patience = new Timeouts(this.#up, this.#down, settings, connections.nowMs);
    this.#up.start(backend);
    this.#down.start(this.#up.from);
    this.#events?.connected(address);
  }

  onDialFailed(error: GatewayError): void {
    this.#race = undefined;
    this.#events?.dialFailed(error);
  }

  onInputEnded(flow: Direction): void {
    this.#endedFirst ??= this.#sideOf(flow);
  }

  onFailed(flow: Direction, error: Error): void {
    const side = this.#sideOf(flow);
    if (!this.#cut) this.#endedFirst ??= side;
    this.#reset({ reason: `${side}-failed`, error: GatewayError.from(error, side) });
  }

  onClosed(flow: Direction): void {
    this.#open -= 1;
    if (!isFinished(flow.from)) {
      if (!this.#cut) this.#endedFirst ??= this.#sideOf(flow);
      this.#reset({ reason: `${this.#sideOf(flow)}-failed` });
    }
    if (this.#open === 0) this.#end();
  }

  tick(nowMs: number): void {
    this.#up.checkForReset();
    this.#down?.checkForReset();
    const error = this.#patience?.expired(nowMs);
    if (error) this.#reset({ reason: "timed-out", error });
  }

  #sideOf(flow: Direction): "client" | "backend" {
    return flow === this.#up ? "client" : "backend";
  }

  /** Resets both: the side that did not fail must not take the end of the bytes for their completion. */
  #reset(cut: Pick<RelayEnd, "reason" | "error">): void {
    this.#cut ??= cut;
    this.cancelDial();
    reset(this.#up.from);
    if (this.#down) reset(this.#down.from);
  }

  #end(): void {
    this.#around.connections.delete(this);
    this.#around.onEnded();
    const { bytesFromClient, bytesFromBackend } = this;
    this.#events?.ended({
      ...(this.#cut ?? { reason: "finished" }),
      ...(this.#endedFirst && { endedFirst: this.#endedFirst }),
      bytesFromClient,
      bytesFromBackend,
    });
  }
}

/** Whether both directions of a closed socket ended as they should. */
function isFinished(socket: Socket): boolean {
  return socket.readableEnded && socket.writableFinished;
}

/** Closes with a reset. libuv cannot while a shutdown is under way, so wait for that: it has nothing to flush. */
function reset(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.writableEnded && !socket.writableFinished) socket.once("finish", () => socket.resetAndDestroy());
  else socket.resetAndDestroy();
}
