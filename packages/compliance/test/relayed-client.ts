import { openSync } from "node:fs";
import { connect, type Socket } from "node:net";
import {
  type Address,
  type ClientEvents,
  dialRace,
  formatAddress,
  GatewayError,
  type RelayClient,
  type RelayEnd,
  type RelaySettings,
} from "@gw/interface";
import type { Fault, Faults } from "./faults.js";
import { Patience } from "./relay-timeouts.js";

/** With a mark of 1 Node reads only what is asked for, and so can tell a reset from an end of input. */
export const socketOptions = { allowHalfOpen: true, noDelay: true, highWaterMark: 1 } as const;

/** How much is read from a client that has no backend yet. */
const earlyLength = 64 * 1024;

/** Read into by all, and still waiting to be written by some. */
const sharedBuffer = Buffer.alloc(64 * 1024);
/** Of whichever connection was made last. */
let lastBackend: Socket | undefined;

type Failure = Pick<RelayEnd, "reason" | "error">;
type Side = "client" | "backend";
const otherOf = { client: "backend", backend: "client" } as const;

/** The fault of a relay that ends its sockets where it must reset them. */
const endings: { readonly [reason in RelayEnd["reason"]]?: Fault } = {
  "client-failed": "passes resets on as ends",
  "backend-failed": "passes resets on as ends",
  "timed-out": "times out with an end",
  closed: "closes with an end",
  aborted: "kills with an end",
};

/** A client of the reference relay. */
export class RelayedClient implements RelayClient {
  readonly address: Address;
  readonly #settings: RelaySettings;
  readonly #faults: Faults;
  readonly #sockets: { readonly client: Socket; backend?: Socket };
  readonly #read = { client: 0, backend: 0 };
  readonly #ended = { client: false, backend: false };
  readonly #patience: Patience;
  #open = 1;
  #early: Buffer[] = [];
  #events: ClientEvents | undefined;
  #onEnd: (() => void) | undefined;
  /** Attempts that are under way, each with its timer. */
  readonly #dialled = new Map<Socket, NodeJS.Timeout | undefined>();
  #nextTimer: NodeJS.Timeout | undefined;
  #failure: Failure | undefined;
  #over = false;

  constructor(client: Socket, settings: RelaySettings, faults: Faults) {
    this.#sockets = { client };
    this.#settings = settings;
    this.#faults = faults;
    this.#patience = new Patience(settings, faults, () => {
      this.#fail({ reason: "timed-out", error: new GatewayError("timed-out", "no patience") });
    });
    const { remoteAddress: host = "", remotePort = 0, localPort = 0 } = client;
    this.address = { host, port: faults.has("tells its own address") ? localPort : remotePort };
    if (!faults.has("is blind while it dials")) this.#watch("client", client);
  }

  start(events: ClientEvents, onEnd: () => void): void {
    this.#events = events;
    this.#onEnd = onEnd;
  }

  get bytesFromClient(): number {
    return this.#count("client");
  }

  get bytesFromBackend(): number {
    return this.#count("backend");
  }

  dial(addresses: readonly Address[], timeoutMs: number): void {
    if (this.#failure && !this.#faults.has("dials for who is gone")) return;
    const [first, second] = addresses;
    const most = this.#faults.has("dials any number of addresses") ? Infinity : dialRace.addresses;
    if (second && this.#faults.has("dials the second address as well")) connect(second).on("error", () => {});
    const list = this.#faults.has("dials the first address only") ? addresses.slice(0, 1) : addresses;
    this.#dialNext(list.slice(0, most), timeoutMs, first);
  }

  #dialNext(waiting: Address[], timeoutMs: number, first: Address | undefined): void {
    clearTimeout(this.#nextTimer);
    const address = this.#dialled.size < dialRace.attemptsAtOnce ? waiting.shift() : undefined;
    if (!address) return;
    const doing = `dial ${formatAddress(address)}`;
    if (this.#faults.has("fails within dial()") && address.host === "255.255.255.255") {
      this.#events?.dialFailed(new GatewayError("unreachable", doing));
      return;
    }
    const socket = connect({ ...socketOptions, ...keepAliveOf(this.#settings, this.#faults), ...address });
    const fail = (error: GatewayError): void => {
      if (!this.#dialled.has(socket)) return;
      clearTimeout(timer);
      this.#dialled.delete(socket);
      socket.destroy();
      if (this.#faults.has("fails with the first address")) this.cancelDial();
      else if (!this.#faults.has("waits after an address that is refused") || waiting.length === 0)
        this.#dialNext(waiting, timeoutMs, first);
      else return;
      if (this.#dialled.size > 0) return;
      this.#events?.dialFailed(error);
      if (this.#faults.has("ends after a failed dial")) this.#fail({ reason: "backend-failed", error });
    };
    const timer = this.#faults.has("dials without a timeout")
      ? undefined
      : setTimeout(() => fail(new GatewayError("timed-out", doing)), timeoutMs);
    this.#dialled.set(socket, timer);
    socket.on("error", error => fail(GatewayError.from(error, doing)));
    socket.once("connect", () => {
      if (!this.#dialled.has(socket) && !this.#faults.has("goes on with what was cancelled")) return;
      clearTimeout(this.#dialled.get(socket));
      this.#dialled.delete(socket);
      if (!this.#faults.has("keeps those that lose")) this.cancelDial();
      clearTimeout(this.#nextTimer);
      this.#connected(socket, this.#faults.has("tells the first address") ? (first ?? address) : address);
    });
    const beside = !this.#faults.has("dials one address after the other");
    const delayMs = this.#faults.has("dials all addresses at once") ? 0 : dialRace.attemptDelayMs;
    if (beside && waiting.length > 0)
      this.#nextTimer = setTimeout(() => this.#dialNext(waiting, timeoutMs, first), delayMs);
  }

  cancelDial(): void {
    clearTimeout(this.#nextTimer);
    for (const socket of [...this.#dialled.keys()]) this.#cancel(socket);
  }

  #cancel(socket: Socket): void {
    const faults = this.#faults;
    clearTimeout(this.#dialled.get(socket));
    this.#dialled.delete(socket);
    if (faults.has("goes on with what was cancelled")) return;
    if (faults.has("loses bytes to what was cancelled")) {
      for (const chunk of this.#early.splice(0)) socket.write(chunk);
      socket.destroySoon();
    } else socket.destroy();
    if (faults.has("tells what was cancelled"))
      setImmediate(() => this.#events?.dialFailed(new GatewayError("aborted", "dial")));
  }

  close(): void {
    this.#fail({ reason: "closed" });
  }

  abort(): void {
    if (!this.#over) this.#fail({ reason: "aborted" });
    else if (this.#faults.has("kills what has ended")) setImmediate(() => this.#end());
  }

  #count(side: Side): number {
    if (this.#over ? this.#faults.has("forgets its counts") : this.#faults.has("counts at the end only"))
      return 0;
    return this.#read[side] + (this.#faults.has("miscounts") ? 1 : 0);
  }

  #connected(socket: Socket, address: Address): void {
    this.#sockets.backend = socket;
    lastBackend = socket;
    this.#open += 1;
    if (this.#faults.has("is blind while it dials")) this.#watch("client", this.#sockets.client);
    this.#watch("backend", socket);
    if (this.#faults.has("keeps descriptors")) openSync("/dev/null", "r");
    if (this.#faults.has("loses early bytes")) this.#early = [];
    for (const chunk of this.#early.splice(0)) this.#write("backend", chunk);
    if (this.#ended.client && !this.#faults.has("loses an early end")) this.#shutDown("backend");
    this.#hear();
    this.#events?.connected(address);
    this.#pump("client");
  }

  #watch(side: Side, socket: Socket): void {
    // Not at once: within its callback, libuv would see that reading goes on, and take a reset for an end.
    const later = this.#faults.has("takes resets for ends") ? (run: () => void) => run() : setImmediate;
    socket.on("readable", () => later(() => this.#pump(side)));
    socket.on("drain", () => this.#pump(otherOf[side]));
    socket.on("error", cause => {
      const culprit = this.#faults.has("blames the other side") ? otherOf[side] : side;
      const error = GatewayError.from(cause, side);
      this.#fail({ reason: `${culprit}-failed`, ...(!this.#faults.has("says no error") && { error }) });
    });
    socket.on("end", () => {
      this.#ended[side] = true;
      this.#hear();
      if (this.#sockets.backend) this.#shutDown(otherOf[side]);
      if (this.#faults.has("ends both directions at once")) this.#shutDown(side);
    });
    socket.on("close", () => {
      this.#open -= 1;
      if (this.#open === 0) this.#end();
    });
  }

  /** Passes on what `side` has sent, as far as the other takes it. */
  #pump(side: Side): void {
    const [from, to] = [this.#sockets[side], this.#sockets[otherOf[side]]];
    const early = this.#faults.has("reads early without bound") || this.#read.client < earlyLength;
    const greedy = this.#faults.has("holds without bound") || this.#faults.has("drops what must wait");
    while (from && (to ? greedy || to.writableLength === 0 : early)) {
      const chunk: Buffer | null = from.read();
      if (!chunk) return;
      this.#read[side] += chunk.length;
      this.#hear();
      if (!to) this.#early.push(chunk);
      else if (to.writableLength === 0 || !this.#faults.has("drops what must wait"))
        this.#write(otherOf[side], chunk);
    }
  }

  #write(to: Side, chunk: Buffer): void {
    const crossing = this.#faults.has("crosses connections") && to === "backend";
    const socket = crossing ? lastBackend : this.#sockets[to];
    let bytes = chunk;
    if (this.#faults.has("shares a buffer")) bytes = sharedBuffer.subarray(0, chunk.copy(sharedBuffer));
    const write = (): unknown =>
      socket?.write(bytes, () => this.#patience.took(to, socket.writableLength > 0));
    if (this.#faults.has("overtakes") && chunk.length % 2 === 0) setTimeout(write, 5);
    else write();
    this.#patience.gave(to);
  }

  /** The empty write waits for all others: libuv cannot reset while it shuts down what is not flushed. */
  #shutDown(side: Side): void {
    const socket = this.#sockets[side];
    if (this.#faults.has("ends before what waits")) socket?.destroy();
    else socket?.write("", () => socket.end());
  }

  #hear(): void {
    if (this.#sockets.backend) this.#patience.hear(this.#ended.client || this.#ended.backend);
  }

  /** What comes after the first failure follows from it. */
  #fail(failure: Failure): void {
    this.#failure ??= failure;
    this.cancelDial();
    const { reason } = failure;
    if (reason === "aborted" && this.#faults.has("never ends")) return;
    if (reason === "aborted" && this.#faults.has("ends at once")) this.#end();
    const mildly = endings[reason];
    for (const [side, socket] of Object.entries(this.#sockets))
      if (mildly && this.#faults.has(mildly)) socket.destroySoon();
      else if (!this.#spares(side as Side, reason)) reset(socket);
  }

  /** Whether what must be reset is left as it is. */
  #spares(side: Side, reason: RelayEnd["reason"]): boolean {
    if (reason === "aborted") return side === "backend" && this.#faults.has("kills the client only");
    return reason === `${otherOf[side]}-failed` && this.#faults.has("keeps resets to itself");
  }

  #end(): void {
    if (this.#over && !this.#faults.has("kills what has ended")) return;
    this.#over = true;
    this.#patience.end();
    this.#onEnd?.();
    const { client: bytesFromClient, backend: bytesFromBackend } = this.#read;
    const extra = this.#faults.has("miscounts") ? 1 : 0;
    const end: RelayEnd = {
      ...(this.#failure ?? { reason: "finished" }),
      bytesFromClient: bytesFromClient + extra,
      bytesFromBackend: bytesFromBackend + extra,
    };
    this.#events?.ended(end);
    if (this.#faults.has("ends twice")) setImmediate(() => this.#events?.ended(end));
  }
}

function reset(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.once("finish", () => socket.resetAndDestroy());
  else socket.resetAndDestroy();
}

export function keepAliveOf({ keepAliveDelayMs }: RelaySettings, faults: Faults): object {
  const wanted = keepAliveDelayMs > 0 && !faults.has("sends no keepalive");
  const keepAlive = wanted || faults.has("always sends keepalive");
  return { keepAlive, keepAliveInitialDelay: keepAliveDelayMs };
}
