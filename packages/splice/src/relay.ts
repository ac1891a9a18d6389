import { lookup } from "node:dns/promises";
import { isIP, Socket, type SocketConstructorOpts } from "node:net";
import { availableParallelism } from "node:os";
import {
  type Address,
  formatAddress,
  GatewayError,
  type Listener,
  type ListenHandlers,
  type Relay,
  type RelaySettings,
} from "@gw/interface";
import {
  type Binding,
  type Engine,
  errnoName,
  loadBinding,
  numbersPerEvent,
  systemError,
} from "./binding.js";
import { NativeClient, type Shared } from "./client.js";
import { kinds } from "./ends.js";

/** Options of {@link splice}. */
export interface SpliceOptions {
  /** How many threads move bytes: 1 to 64. @default one per core */
  readonly threads?: number | undefined;
}

/**
 * A relay whose sockets never come to JavaScript: threads of its own accept, dial and move the bytes. They run while
 * a listener or a connection is open. Linux only.
 *
 * @throws {GatewayError} `unavailable` where it cannot run, and why; `invalid-option`
 */
export function splice({
  threads = Math.min(availableParallelism(), mostThreads),
}: SpliceOptions = {}): Relay {
  if (!Number.isInteger(threads) || threads < 1 || threads > mostThreads)
    throw new GatewayError(
      "invalid-option",
      `threads ${threads} is not a whole number from 1 to ${mostThreads}`,
    );
  return new NativeRelay(loadBinding(), threads);
}

const mostThreads = 64;
/** Between two checks of the engine's threads, in milliseconds. */
const checkMs = 1_000;
/** Taken from the engine at a time. */
const eventsAtOnce = 256;

/** A listener of the engine, and who is told of its clients. */
interface Listening {
  readonly handlers: ListenHandlers;
  readonly shared: Shared;
}

class NativeRelay implements Relay {
  readonly name = "native";
  readonly extraDescriptors: number;
  readonly #binding: Binding;
  readonly #threads: number;
  readonly #events = new Float64Array(eventsAtOnce * numbersPerEvent);
  /** By slot; undefined for those that were refused. */
  #clients: (NativeClient | undefined)[] = [];
  /** By number; undefined for those that were closed. */
  #listening: (Listening | undefined)[] = [];
  readonly #takes = { count: 0 };
  #engine: Engine | undefined;
  #wake: Socket | undefined;
  /** Calls `#check`, while the engine runs. */
  #watchdog: NodeJS.Timeout | undefined;
  /** Threads that hung at the last check. */
  #stuck = 0;
  /** Listeners and connections that are open; at none the engine stops. */
  #inUse = 0;

  constructor(binding: Binding, threads: number) {
    this.#binding = binding;
    this.#threads = threads;
    this.extraDescriptors = 2 * binding.pipeLimit(threads);
  }

  async listen(address: Address, handlers: ListenHandlers, settings: RelaySettings): Promise<Listener> {
    const doing = `listen on ${formatAddress(address)}`;
    const host = isIP(address.host) ? address.host : await firstAddress(address.host, doing);
    this.#inUse += 1;
    try {
      const engine = this.#started();
      const bound = this.#binding.listen(engine, host, address.port, inOrder(settings));
      if (typeof bound === "number") throw GatewayError.from(systemError(bound, "listen"), doing);
      const [listener, boundHost, port] = bound;
      const shared = { binding: this.#binding, engine, settings, takes: this.#takes };
      this.#listening[listener] = { handlers, shared };
      return new NativeListener({ host: boundHost, port }, () => {
        this.#binding.unlisten(engine, listener);
        this.#listening[listener] = undefined;
        this.#release();
      });
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  #started(): Engine {
    if (this.#engine) return this.#engine;
    const started = this.#binding.start(this.#threads);
    if (typeof started === "number")
      throw new GatewayError(
        "unavailable",
        `native relay: its ${this.#threads} threads cannot be started: ${errnoName(started)}`,
      );
    const [engine, wakeFd] = started;
    this.#engine = engine;
    this.#wake = wakeSocket(wakeFd, () => this.#takeAll());
    this.#watchdog = setInterval(() => this.#check(), checkMs).unref();
    // What the system closes with the process would look like an end; the engine resets it.
    process.once("exit", this.#stop);
    return engine;
  }

  readonly #stop = (): void => {
    if (this.#engine) this.#binding.stop(this.#engine);
  };

  /** Notices threads that hang, and makes up for a wake-up that was lost. */
  #check(): void {
    if (!this.#engine) return;
    const before = this.#stuck;
    this.#stuck = this.#binding.check(this.#engine);
    if (this.#stuck > before) {
      const what = `${this.#stuck} of ${this.#threads} threads of the native relay hang`;
      const error = new GatewayError("unavailable", `${what}: their connections stand still`);
      for (const listening of this.#listening) listening?.handlers.onError(error);
    }
    this.#takeAll();
  }

  #release(): void {
    this.#inUse -= 1;
    // Not from within the events that may have led here.
    if (this.#inUse === 0) setImmediate(() => this.#stopUnlessInUse());
  }

  #stopUnlessInUse(): void {
    if (this.#inUse > 0 || !this.#engine) return;
    process.off("exit", this.#stop);
    this.#stop();
    this.#wake?.destroy();
    clearInterval(this.#watchdog);
    this.#stuck = 0;
    this.#engine = undefined;
    this.#wake = undefined;
    this.#clients = [];
    this.#listening = [];
  }

  #takeAll(): void {
    const events = this.#events;
    for (;;) {
      if (!this.#engine) return;
      this.#takes.count += 1;
      const count = this.#binding.take(this.#engine, events);
      for (let at = 0; at < count * numbersPerEvent; at += numbersPerEvent) this.#on(events, at);
      // One flow can make two events; where there is no room for two, the engine stops.
      if (count < eventsAtOnce - 1) return;
    }
  }

  /** One event. What its handler throws is the process's to see, and not the next event's to suffer. */
  #on(events: Float64Array, at: number): void {
    // A small integer, which takes no memory of its own.
    const slot = (events[at + 1] as number) | 0;
    try {
      const kind = events[at];
      if (kind === kinds.accepted) this.#accepted(slot, events[at + 2] as number);
      else if (kind === kinds.connected) this.#clients[slot]?.connected((events[at + 2] as number) | 0);
      else if (kind === kinds.dialFailed)
        this.#clients[slot]?.failed(events[at + 3] as number, events[at + 2] as number);
      else if (kind === kinds.ended) this.#ended(slot, events, at);
      else this.#acceptFailed(events[at + 2] as number, events[at + 3] as number);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }

  #accepted(slot: number, listener: number): void {
    this.#inUse += 1;
    const listening = this.#listening[listener];
    // It was accepted before its listener was closed, and nobody has heard of it.
    if (!listening) {
      this.#binding.abort(this.#engine as Engine, slot);
      return;
    }
    const client = new NativeClient(slot, listening.shared);
    this.#clients[slot] = client;
    try {
      client.events = listening.handlers.onClient(client);
    } finally {
      if (!client.events) client.abort();
    }
  }

  #acceptFailed(listener: number, errno: number): void {
    this.#listening[listener]?.handlers.onError(GatewayError.from(systemError(errno, "accept"), "accept"));
  }

  #ended(slot: number, events: Float64Array, at: number): void {
    const client = this.#clients[slot];
    this.#clients[slot] = undefined;
    this.#release();
    client?.over(events, at);
  }
}

/** Calls `onWake` whenever the engine has written to its end of `fd`. */
function wakeSocket(fd: number, onWake: () => void): Socket {
  const callback = (): boolean => {
    onWake();
    return true;
  };
  // Node's types have `onread` for connections that are made; the constructor takes it as well.
  const options = { fd, readable: true, writable: false, onread: { buffer: Buffer.alloc(64), callback } };
  return new Socket(options as SocketConstructorOpts);
}

class NativeListener implements Listener {
  readonly address: Address;
  #close: (() => void) | undefined;

  constructor(address: Address, close: () => void) {
    this.address = address;
    this.#close = close;
  }

  close(): void {
    const close = this.#close;
    this.#close = undefined;
    close?.();
  }
}

/** In the order of `struct settings`. */
function inOrder(settings: RelaySettings): Uint32Array {
  return Uint32Array.of(
    settings.keepAliveDelayMs,
    settings.keepAliveIntervalMs,
    settings.keepAliveProbes,
    settings.userTimeoutMs,
    settings.idleTimeoutMs,
    settings.halfCloseTimeoutMs,
    settings.writeTimeoutMs,
  );
}

async function firstAddress(host: string, doing: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw GatewayError.from(error, doing);
  }
}
