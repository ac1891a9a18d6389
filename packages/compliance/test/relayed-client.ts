import { openSync } from "node:fs";
import type { Socket } from "node:net";
import {
  type Address,
  type ClientEvents,
  GatewayError,
  type RelayClient,
  type RelayEnd,
  type RelaySettings,
} from "@gw/interface";
import type { Fault, Faults } from "./faults.js";
import { RelayDial } from "./relay-dial.js";
import { Stalls } from "./relay-stalls.js";
import { Timeouts } from "./relay-timeouts.js";

/** Bytes that are read from a client that has no backend yet. */
const earlyLength = 64 * 1024;

/** For the fault "shares a buffer": overwritten while it is still to be written. */
const sharedBuffer = Buffer.alloc(64 * 1024);
/** The backend of the connection that was made last. */
let lastBackend: Socket | undefined;

type Failure = Pick<RelayEnd, "reason" | "error">;
type Side = "client" | "backend";
const otherOf = { client: "backend", backend: "client" } as const;

/** By the reason of an end, the fault with which the relay ends sockets that it must reset. */
const endings: { readonly [reason in RelayEnd["reason"]]?: Fault } = {
  "client-failed": "passes resets on as ends",
  "backend-failed": "passes resets on as ends",
  "timed-out": "times out with an end",
  closed: "closes with an end",
  aborted: "aborts with an end",
};

/** A client of the reference relay. */
export class RelayedClient implements RelayClient {
  readonly address: Address;
  readonly #faults: Faults;
  readonly #sockets: { readonly client: Socket; backend?: Socket };
  readonly #read = { client: 0, backend: 0 };
  readonly #ended = { client: false, backend: false };
  readonly #timeouts: Timeouts;
  readonly #stalls: Stalls;
  #open = 1;
  #early: Buffer[] = [];
  #events: ClientEvents | undefined;
  #onEnd: (() => void) | undefined;
  readonly #dial: RelayDial;
  #failure: Failure | undefined;
  #over = false;

  constructor(client: Socket, settings: RelaySettings, faults: Faults) {
    this.#sockets = { client };
    this.#faults = faults;
    this.#timeouts = new Timeouts(settings, faults, () => {
      this.#fail({ reason: "timed-out", error: new GatewayError("timed-out", "no bytes in time") });
    });
    this.#stalls = new Stalls(settings, faults, {
      isHeldBack: () => client.writableLength > 0,
      report: () => this.#events?.stalled?.(),
    });
    this.#dial = new RelayDial(settings, faults, {
      connected: (socket, address) => this.#connected(socket, address),
      failed: error => {
        this.#events?.dialFailed(error);
        if (faults.has("ends after a failed dial")) this.#fail({ reason: "backend-failed", error });
      },
      takeEarlyBytes: () => this.#early.splice(0),
    });
    const { remoteAddress: host = "", remotePort = 0, localPort = 0 } = client;
    this.address = { host, port: faults.has("reports its own address") ? localPort : remotePort };
    if (!faults.has("does not watch clients while it dials")) this.#watch("client", client);
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

  get waitingMs(): number | undefined {
    return this.#stalls.waitingMs;
  }

  get answeredMs(): number | undefined {
    return this.#stalls.answeredMs;
  }

  dial(addresses: readonly Address[], timeoutMs: number): void {
    if (this.#failure && !this.#faults.has("dials for clients that are gone")) return;
    this.#dial.start(addresses, timeoutMs);
  }

  cancelDial(): void {
    this.#dial.cancel();
  }

  close(): void {
    this.#fail({ reason: "closed" });
  }

  abort(): void {
    if (!this.#over) this.#fail({ reason: "aborted" });
    else if (this.#faults.has("aborts what has ended")) setImmediate(() => this.#end());
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
    if (this.#faults.has("does not watch clients while it dials"))
      this.#watch("client", this.#sockets.client);
    this.#watch("backend", socket);
    if (this.#faults.has("leaks descriptors")) openSync("/dev/null", "r");
    if (this.#read.client > 0) this.#stalls.asked(true);
    if (this.#faults.has("loses early bytes")) this.#early = [];
    for (const chunk of this.#early.splice(0)) this.#write("backend", chunk);
    if (this.#ended.client && !this.#faults.has("loses an early end")) this.#shutDown("backend");
    this.#resetIdleTimer();
    this.#events?.connected(address);
    this.#pump("client");
  }

  #watch(side: Side, socket: Socket): void {
    // Not at once: within its callback, libuv would see that reading continues, and take a reset for an end.
    const later = this.#faults.has("takes resets for ends") ? (run: () => void) => run() : setImmediate;
    socket.on("readable", () => later(() => this.#pump(side)));
    socket.on("drain", () => this.#pump(otherOf[side]));
    socket.on("error", cause => {
      const culprit = this.#faults.has("reports the other side") ? otherOf[side] : side;
      const error = GatewayError.from(cause, side);
      this.#fail({ reason: `${culprit}-failed`, ...(!this.#faults.has("reports no error") && { error }) });
    });
    socket.on("end", () => {
      this.#ended[side] = true;
      if (side === "client") this.#stalls.clientEnded();
      else this.#stalls.backendEnded();
      this.#resetIdleTimer();
      if (this.#sockets.backend) this.#shutDown(otherOf[side]);
      if (this.#faults.has("ends both directions at once")) this.#shutDown(side);
    });
    socket.on("close", () => {
      this.#open -= 1;
      if (this.#open === 0) this.#end();
    });
  }

  /** Passes on what `side` has sent, as much as the other side takes. */
  #pump(side: Side): void {
    const [from, to] = [this.#sockets[side], this.#sockets[otherOf[side]]];
    const early = this.#faults.has("reads early without bound") || this.#read.client < earlyLength;
    const unbounded = this.#faults.has("buffers without bound") || this.#faults.has("drops pending bytes");
    while (from && (to ? unbounded || to.writableLength === 0 : early)) {
      const chunk: Buffer | null = from.read();
      if (!chunk) return;
      this.#read[side] += chunk.length;
      if (side === "client") this.#stalls.asked(to !== undefined);
      else this.#stalls.answered();
      this.#resetIdleTimer();
      if (!to) this.#early.push(chunk);
      else if (to.writableLength === 0 || !this.#faults.has("drops pending bytes"))
        this.#write(otherOf[side], chunk);
    }
  }

  #write(to: Side, chunk: Buffer): void {
    const crossing = this.#faults.has("crosses connections") && to === "backend";
    const socket = crossing ? lastBackend : this.#sockets[to];
    let bytes = chunk;
    if (this.#faults.has("shares a buffer")) bytes = sharedBuffer.subarray(0, chunk.copy(sharedBuffer));
    const write = (): unknown =>
      socket?.write(bytes, () => this.#timeouts.bytesTaken(to, socket.writableLength > 0));
    if (this.#faults.has("overtakes") && chunk.length % 2 === 0) setTimeout(write, 5);
    else write();
    this.#timeouts.bytesPending(to);
  }

  /** The empty write completes after all others: libuv cannot reset a socket during a shutdown of unflushed bytes. */
  #shutDown(side: Side): void {
    const socket = this.#sockets[side];
    if (this.#faults.has("ends before pending bytes")) socket?.destroy();
    else socket?.write("", () => socket.end());
  }

  #resetIdleTimer(): void {
    if (this.#sockets.backend) this.#timeouts.resetIdleTimer(this.#ended.client || this.#ended.backend);
  }

  /** Only the first failure counts; others follow from it. */
  #fail(failure: Failure): void {
    if (!this.#failure && failure.reason === "client-failed") this.#stalls.clientEnded();
    this.#failure ??= failure;
    this.cancelDial();
    const { reason } = failure;
    if (reason === "aborted" && this.#faults.has("never ends")) return;
    if (reason === "aborted" && this.#faults.has("ends at once")) this.#end();
    const endsInstead = endings[reason];
    for (const [side, socket] of Object.entries(this.#sockets))
      if (endsInstead && this.#faults.has(endsInstead)) socket.destroySoon();
      else if (!this.#keepsOpen(side as Side, reason)) reset(socket);
  }

  /** Whether a fault leaves a side that must be reset as it is. */
  #keepsOpen(side: Side, reason: RelayEnd["reason"]): boolean {
    if (reason === "aborted") return side === "backend" && this.#faults.has("aborts the client only");
    return reason === `${otherOf[side]}-failed` && this.#faults.has("does not pass on resets");
  }

  #end(): void {
    if (this.#over && !this.#faults.has("aborts what has ended")) return;
    this.#over = true;
    this.#timeouts.clear();
    const { reason } = this.#failure ?? { reason: "finished" };
    const waitedMs = this.#stalls.waitedMs(reason);
    this.#stalls.ended();
    this.#onEnd?.();
    const { client: bytesFromClient, backend: bytesFromBackend } = this.#read;
    const extra = this.#faults.has("miscounts") ? 1 : 0;
    const end: RelayEnd = {
      ...(this.#failure ?? { reason: "finished" }),
      ...(waitedMs !== undefined && { waitedMs }),
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
