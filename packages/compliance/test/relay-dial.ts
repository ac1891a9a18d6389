import { connect, type Socket } from "node:net";
import { type Address, dialRace, formatAddress, GatewayError, type RelaySettings } from "@gw/interface";
import type { Faults } from "./faults.js";

/** With a high-water mark of 1, Node reads only what is asked for, and so distinguishes a reset from an end of input. */
export const socketOptions = { allowHalfOpen: true, noDelay: true, highWaterMark: 1 } as const;

export function keepAliveOf({ keepAliveDelayMs }: RelaySettings, faults: Faults): object {
  const wanted = keepAliveDelayMs > 0 && !faults.has("sends no keepalive");
  const keepAlive = wanted || faults.has("always sends keepalive");
  return { keepAlive, keepAliveInitialDelay: keepAliveDelayMs };
}

/** What a {@link RelayDial} reports to its client. */
export interface DialEvents {
  connected(socket: Socket, address: Address): void;
  failed(error: GatewayError): void;
  /** Takes the bytes that the client has sent so far; only faults call it. */
  takeEarlyBytes(): readonly Buffer[];
}

/** The dials of one client of the reference relay. */
export class RelayDial {
  readonly #settings: RelaySettings;
  readonly #faults: Faults;
  readonly #events: DialEvents;
  /** Attempts that are under way, each with its timer. */
  readonly #attempts = new Map<Socket, NodeJS.Timeout | undefined>();
  #nextTimer: NodeJS.Timeout | undefined;

  constructor(settings: RelaySettings, faults: Faults, events: DialEvents) {
    this.#settings = settings;
    this.#faults = faults;
    this.#events = events;
  }

  start(addresses: readonly Address[], timeoutMs: number): void {
    const [first, second] = addresses;
    const most = this.#faults.has("dials any number of addresses") ? Infinity : dialRace.addresses;
    if (second && this.#faults.has("dials the second address as well")) connect(second).on("error", () => {});
    const list = this.#faults.has("dials the first address only") ? addresses.slice(0, 1) : addresses;
    this.#dialNext(list.slice(0, most), timeoutMs, first);
  }

  cancel(): void {
    clearTimeout(this.#nextTimer);
    for (const socket of [...this.#attempts.keys()]) this.#cancelAttempt(socket);
  }

  #dialNext(waiting: Address[], timeoutMs: number, first: Address | undefined): void {
    clearTimeout(this.#nextTimer);
    const address = this.#attempts.size < dialRace.attemptsAtOnce ? waiting.shift() : undefined;
    if (!address) return;
    const action = `dial ${formatAddress(address)}`;
    if (this.#faults.has("fails within dial()") && address.host === "255.255.255.255") {
      this.#events.failed(new GatewayError("unreachable", action));
      return;
    }
    const socket = connect({ ...socketOptions, ...keepAliveOf(this.#settings, this.#faults), ...address });
    const fail = (error: GatewayError): void => {
      if (!this.#attempts.has(socket)) return;
      clearTimeout(timer);
      this.#attempts.delete(socket);
      socket.destroy();
      if (this.#faults.has("fails with the first address")) this.cancel();
      else if (!this.#faults.has("waits after a refused address") || waiting.length === 0)
        this.#dialNext(waiting, timeoutMs, first);
      else return;
      if (this.#attempts.size === 0) this.#events.failed(error);
    };
    const timer = this.#faults.has("dials without a timeout")
      ? undefined
      : setTimeout(() => fail(new GatewayError("timed-out", action)), timeoutMs);
    this.#attempts.set(socket, timer);
    socket.on("error", error => fail(GatewayError.from(error, action)));
    socket.once("connect", () => {
      if (!this.#attempts.has(socket) && !this.#faults.has("continues cancelled dials")) return;
      clearTimeout(this.#attempts.get(socket));
      this.#attempts.delete(socket);
      if (!this.#faults.has("keeps connections that lose the race")) this.cancel();
      clearTimeout(this.#nextTimer);
      const reported = this.#faults.has("reports the first address") ? (first ?? address) : address;
      this.#events.connected(socket, reported);
    });
    const inParallel = !this.#faults.has("dials one address after the other");
    const delayMs = this.#faults.has("dials all addresses at once") ? 0 : dialRace.attemptDelayMs;
    if (inParallel && waiting.length > 0)
      this.#nextTimer = setTimeout(() => this.#dialNext(waiting, timeoutMs, first), delayMs);
  }

  #cancelAttempt(socket: Socket): void {
    const faults = this.#faults;
    clearTimeout(this.#attempts.get(socket));
    this.#attempts.delete(socket);
    if (faults.has("continues cancelled dials")) return;
    if (faults.has("loses bytes to cancelled dials")) {
      for (const chunk of this.#events.takeEarlyBytes()) socket.write(chunk);
      socket.destroySoon();
    } else socket.destroy();
    if (faults.has("reports cancelled dials"))
      setImmediate(() => this.#events.failed(new GatewayError("aborted", "dial")));
  }
}
