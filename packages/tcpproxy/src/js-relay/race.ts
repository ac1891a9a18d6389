import type { Socket } from "node:net";
import { type Address, dialRace, type GatewayError } from "@gw/interface";
import { Attempt, type AttemptOwner } from "./attempt.js";
import type { Sweep, Swept } from "./sweep.js";

/** Who is told how a race ended; nothing if it was abandoned. */
export interface RaceOwner {
  /** `socket` is connected to `address`, and the owner's to follow. */
  onDialled(socket: Socket, address: Address): void;
  /** All addresses failed; there is no socket any more. */
  onDialFailed(error: GatewayError): void;
}

/** What all races of a relay share. */
export interface RaceTrack {
  /** Of dials that are under way. */
  readonly dials: Sweep;
  /** Attempts beside the first of their race, of all races. */
  readonly extra: { count: number };
  /** Starts to connect a socket, which reads as soon as it is connected. */
  connect(address: Address): Socket;
}

/** One dial: connects to the first of some addresses that accepts, as {@link dialRace} says. */
export class Race implements AttemptOwner, Swept {
  readonly #addresses: readonly Address[];
  readonly #timeoutMs: number;
  readonly #track: RaceTrack;
  readonly #owner: RaceOwner;
  readonly #live = new Set<Attempt>();
  /** How many of the addresses were dialled, or will not be. */
  #started = 0;
  #nextAtMs = 0;
  #error: GatewayError | undefined;

  constructor(addresses: readonly Address[], timeoutMs: number, track: RaceTrack, owner: RaceOwner) {
    this.#addresses =
      addresses.length > dialRace.addresses ? addresses.slice(0, dialRace.addresses) : addresses;
    this.#timeoutMs = timeoutMs;
    this.#track = track;
    this.#owner = owner;
  }

  start(): void {
    const { dials } = this.#track;
    const several = this.#addresses.length > 1;
    this.#startNext(dials.nowMs);
    dials.add(this, Math.min(this.#timeoutMs, several ? dialRace.attemptDelayMs : Infinity) / 8);
  }

  /** Ends the race without a word. */
  abandon(): void {
    this.#track.dials.delete(this);
    this.#track.extra.count -= Math.max(0, this.#live.size - 1);
    for (const attempt of this.#live) attempt.abandon();
    this.#live.clear();
  }

  sweep(nowMs: number): void {
    for (const attempt of this.#live) attempt.sweep(nowMs);
    if (this.#live.size > 0 && nowMs >= this.#nextAtMs) this.#startNext(nowMs);
  }

  onDialled(attempt: Attempt, socket: Socket): void {
    this.#lose(attempt);
    this.abandon();
    this.#owner.onDialled(socket, attempt.address);
  }

  onDialFailed(attempt: Attempt, error: GatewayError): void {
    this.#lose(attempt);
    const isLocal = error.code === "out-of-resources";
    // What was not dialled for want of descriptors may work: no endpoint is to blame.
    if (this.#error?.code !== "out-of-resources") this.#error = error;
    if (isLocal) this.#started = this.#addresses.length;
    this.#startNext(this.#track.dials.nowMs);
    if (this.#live.size > 0) return;
    this.abandon();
    this.#owner.onDialFailed(this.#error ?? error);
  }

  #startNext(nowMs: number): void {
    const address = this.#addresses[this.#started];
    const { extra } = this.#track;
    if (!address || this.#live.size >= dialRace.attemptsAtOnce) return;
    if (this.#live.size > 0) {
      if (extra.count >= dialRace.extraAttempts) return;
      extra.count += 1;
    }
    this.#started += 1;
    this.#nextAtMs = nowMs + dialRace.attemptDelayMs;
    const attempt = new Attempt(address, this.#timeoutMs, this, nowMs);
    this.#live.add(attempt);
    attempt.start(this.#track);
  }

  #lose(attempt: Attempt): void {
    this.#live.delete(attempt);
    if (this.#live.size > 0) this.#track.extra.count -= 1;
  }
}
