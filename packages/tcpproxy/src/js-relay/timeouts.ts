import { type EndCause, GatewayError, type RelaySettings } from "@gw/interface";
import type { Direction } from "./direction.js";

type TimeoutSettings = Pick<RelaySettings, "idleTimeoutMs" | "halfCloseTimeoutMs" | "writeTimeoutMs">;

export function hasTimeouts({ idleTimeoutMs, halfCloseTimeoutMs, writeTimeoutMs }: TimeoutSettings): boolean {
  return idleTimeoutMs + halfCloseTimeoutMs + writeTimeoutMs > 0;
}

/** How often {@link Timeouts} with these settings are to be checked, in milliseconds; Infinity if they need not be. */
export function tickPeriodMs({ idleTimeoutMs, halfCloseTimeoutMs, writeTimeoutMs }: TimeoutSettings): number {
  return Math.min(
    ...[idleTimeoutMs, halfCloseTimeoutMs, writeTimeoutMs].map(ms => (ms > 0 ? ms / 8 : Infinity)),
  );
}

/**
 * The timeouts of one connection. They cost nothing for each byte: each check compares counters with those of the
 * check before. So a timeout is up to two ticks late, and never early.
 */
export class Timeouts {
  readonly #fromClient: Direction;
  readonly #fromBackend: Direction;
  readonly #settings: TimeoutSettings;
  readonly #traffic: LastChange;
  readonly #backendWrites: LastChange;
  readonly #clientWrites: LastChange;

  constructor(fromClient: Direction, fromBackend: Direction, settings: TimeoutSettings, nowMs: number) {
    this.#fromClient = fromClient;
    this.#fromBackend = fromBackend;
    this.#settings = settings;
    this.#traffic = new LastChange(nowMs);
    this.#backendWrites = new LastChange(nowMs);
    this.#clientWrites = new LastChange(nowMs);
  }

  /** Checks all timeouts: the error of one that has passed. */
  expired(nowMs: number): GatewayError | undefined {
    const { idleTimeoutMs, halfCloseTimeoutMs, writeTimeoutMs } = this.#settings;
    const fromClient = this.#fromClient;
    const fromBackend = this.#fromBackend;
    const idleMs = this.#traffic.ageMs(trafficOf(fromClient) + trafficOf(fromBackend), nowMs);
    const backendBlockedMs = this.#backendWrites.ageMs(pendingProgress(fromClient), nowMs);
    const clientBlockedMs = this.#clientWrites.ageMs(pendingProgress(fromBackend), nowMs);
    if (fromClient.hasPending && isOver(backendBlockedMs, writeTimeoutMs))
      return timedOut("write-timeout", `backend accepted no pending bytes for ${writeTimeoutMs} ms`);
    if (fromBackend.hasPending && isOver(clientBlockedMs, writeTimeoutMs))
      return timedOut("write-timeout", `client accepted no pending bytes for ${writeTimeoutMs} ms`);
    if (isOver(idleMs, idleTimeoutMs))
      return timedOut("idle-timeout", `no byte in either direction for ${idleTimeoutMs} ms`);
    if ((fromClient.eof || fromBackend.eof) && isOver(idleMs, halfCloseTimeoutMs))
      return timedOut("half-close-timeout", `half-closed, and no byte for ${halfCloseTimeoutMs} ms`);
    return undefined;
  }
}

/** When a number has last changed. */
class LastChange {
  #value = 0;
  #atMs: number;

  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /** How long ago that was, in milliseconds; 0 if `value` is not that of the call before. */
  ageMs(value: number, nowMs: number): number {
    if (value !== this.#value) {
      this.#value = value;
      this.#atMs = nowMs;
    }
    return nowMs - this.#atMs;
  }
}

/** A number that grows with each byte that is read or written, and with the end of the input. */
function trafficOf(direction: Direction): number {
  return direction.bytes + writtenBytes(direction) + (direction.eof ? 1 : 0);
}

/** A number that changes with each byte that is written, and when bytes become pending. */
function pendingProgress(direction: Direction): number {
  return direction.hasPending ? writtenBytes(direction) : -1;
}

function writtenBytes({ bytes, pendingBytes }: Direction): number {
  return bytes - pendingBytes;
}

function isOver(ageMs: number, timeoutMs: number): boolean {
  return timeoutMs > 0 && ageMs >= timeoutMs;
}

function timedOut(cause: EndCause, detail: string): GatewayError {
  return new GatewayError("timed-out", detail, { cause });
}
