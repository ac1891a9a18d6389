import { GatewayError, type RelaySettings } from "@gw/interface";
import type { Direction } from "./direction.js";

type TimeoutSettings = Pick<RelaySettings, "idleTimeoutMs" | "halfCloseTimeoutMs" | "writeTimeoutMs">;

export function hasTimeouts({ idleTimeoutMs, halfCloseTimeoutMs, writeTimeoutMs }: TimeoutSettings): boolean {
  return idleTimeoutMs + halfCloseTimeoutMs + writeTimeoutMs > 0;
}

/** How often a {@link Timeouts} with these settings is to be asked, in milliseconds; Infinity if it need not be. */
export function periodOf({ idleTimeoutMs, halfCloseTimeoutMs, writeTimeoutMs }: TimeoutSettings): number {
  return Math.min(
    ...[idleTimeoutMs, halfCloseTimeoutMs, writeTimeoutMs].map(ms => (ms > 0 ? ms / 8 : Infinity)),
  );
}

/**
 * Knows for how long nothing has happened on a connection. Nobody tells it of each byte: it looks at the counts when
 * it is asked, and so is up to two periods late, and never early.
 */
export class Timeouts {
  readonly #up: Direction;
  readonly #down: Direction;
  readonly #timeouts: TimeoutSettings;
  readonly #traffic: Standstill;
  readonly #upWrites: Standstill;
  readonly #downWrites: Standstill;

  constructor(up: Direction, down: Direction, timeouts: TimeoutSettings, nowMs: number) {
    this.#up = up;
    this.#down = down;
    this.#timeouts = timeouts;
    this.#traffic = new Standstill(nowMs);
    this.#upWrites = new Standstill(nowMs);
    this.#downWrites = new Standstill(nowMs);
  }

  /** What it was that took too long, if anything did. */
  expired(nowMs: number): GatewayError | undefined {
    const { idleTimeoutMs, halfCloseTimeoutMs, writeTimeoutMs } = this.#timeouts;
    const silentMs = this.#traffic.lasts(trafficOf(this.#up) + trafficOf(this.#down), nowMs);
    const upMs = this.#upWrites.lasts(stallOf(this.#up), nowMs);
    const downMs = this.#downWrites.lasts(stallOf(this.#down), nowMs);
    if (this.#up.hasPending && isOver(upMs, writeTimeoutMs)) return tookNothing("backend", writeTimeoutMs);
    if (this.#down.hasPending && isOver(downMs, writeTimeoutMs)) return tookNothing("client", writeTimeoutMs);
    if (isOver(silentMs, idleTimeoutMs))
      return timedOut(`no byte in either direction for ${idleTimeoutMs} ms`);
    if ((this.#up.eof || this.#down.eof) && isOver(silentMs, halfCloseTimeoutMs))
      return timedOut(`no byte for ${halfCloseTimeoutMs} ms after one side had ended its output`);
    return undefined;
  }
}

/** For how long a number has stayed as it is. */
class Standstill {
  #value = 0;
  #sinceMs: number;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** In milliseconds; 0 if `value` is not that of the call before. */
  lasts(value: number, nowMs: number): number {
    if (value !== this.#value) {
      this.#value = value;
      this.#sinceMs = nowMs;
    }
    return nowMs - this.#sinceMs;
  }
}

/** A number that grows with all that is read and written, and with the end of it. */
function trafficOf(flow: Direction): number {
  return flow.bytes + takenOf(flow) + (flow.eof ? 1 : 0);
}

/** A number that changes with each byte that is taken, and when the flow begins to stall. */
function stallOf(flow: Direction): number {
  return flow.hasPending ? takenOf(flow) : -1;
}

function takenOf({ bytes, pendingBytes }: Direction): number {
  return bytes - pendingBytes;
}

function isOver(lastsMs: number, timeoutMs: number): boolean {
  return timeoutMs > 0 && lastsMs >= timeoutMs;
}

function tookNothing(side: string, timeoutMs: number): GatewayError {
  return timedOut(`${side} took nothing of what waits for it for ${timeoutMs} ms`);
}

function timedOut(what: string): GatewayError {
  return new GatewayError("timed-out", what);
}
