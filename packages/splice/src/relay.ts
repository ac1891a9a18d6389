import { lookup } from "node:dns/promises";
import { isIP, type Socket } from "node:net";
import { availableParallelism } from "node:os";
import {
  type Address,
  type DialStock,
  formatListenTarget,
  GatewayError,
  type Listener,
  type ListenHandlers,
  type ListenTarget,
  type Relay,
  type RelaySettings,
  type SocketPath,
  unixAddress,
} from "@gw/interface";
import {
  type Binding,
  type Engine,
  encodeSettings,
  errnoName,
  eventKinds,
  loadBinding,
  numbersPerEvent,
  systemError,
  wakeSocket,
} from "./binding.js";
import { Connection, type ConnectionContext } from "./connection.js";
import { NativeStock } from "./stock.js";
import { fileRemoval, listenError } from "./unix-sockets.js";

/** Options of {@link splice}. */
export interface SpliceOptions {
  /** Threads that move bytes: 1 to 64. @default one per core */
  readonly threads?: number | undefined;
}

/**
 * A relay whose sockets JavaScript never sees: threads of its own accept, dial and move the bytes. They run while a
 * listener or a connection is open. Linux only.
 *
 * @throws {GatewayError} `unavailable` where it cannot run, and why; `invalid-option`
 */
export function splice({
  threads = Math.min(availableParallelism(), maxThreads),
}: SpliceOptions = {}): Relay {
  if (!Number.isInteger(threads) || threads < 1 || threads > maxThreads)
    throw new GatewayError(
      "invalid-option",
      `threads ${threads} is not a whole number from 1 to ${maxThreads}`,
    );
  return new NativeRelay(loadBinding(), threads);
}

const maxThreads = 64;
/** Between two checks of the engine's threads, in milliseconds. */
const checkMs = 1_000;
const eventsPerTake = 256;

/** A listener of the engine, as its clients need it. */
interface EngineListener {
  readonly handlers: ListenHandlers;
  readonly context: ConnectionContext;
  isOpen: boolean;
}

class NativeRelay implements Relay {
  readonly name = "native";
  readonly takesSockets = true;
  readonly extraDescriptors: number;
  readonly #binding: Binding;
  readonly #threads: number;
  readonly #events = new Float64Array(eventsPerTake * numbersPerEvent);
  /** By slot of the engine; undefined for clients that were refused. */
  #connections: (Connection | undefined)[] = [];
  /** By number of the engine. Clients that have taken dials may be reported after a listener was closed. */
  #listeners: EngineListener[] = [];
  readonly #takes = { count: 0 };
  #engine: Engine | undefined;
  /** Readable when there are events to take. */
  #wake: Socket | undefined;
  /** Calls `#check`, while the engine runs. */
  #watchdog: NodeJS.Timeout | undefined;
  /** Threads that hung at the last check. */
  #stuck = 0;
  /** Open listeners and connections; without any the engine stops. */
  #inUse = 0;

  constructor(binding: Binding, threads: number) {
    this.#binding = binding;
    this.#threads = threads;
    this.extraDescriptors = 2 * binding.pipeLimit();
  }

  async listen(target: ListenTarget, handlers: ListenHandlers, settings: RelaySettings): Promise<Listener> {
    const operation = `listen on ${formatListenTarget(target)}`;
    const local = "fd" in target ? target : await toAddress(target, operation);
    this.#inUse += 1;
    try {
      const engine = this.#startedEngine();
      const { stock } = handlers;
      const stockNumber = isNative(stock) ? stock.open(this.#binding, engine) : -1;
      const encoded = encodeSettings(settings);
      const bound =
        "fd" in local
          ? this.#binding.listenOn(engine, local.fd, encoded, stockNumber)
          : this.#binding.listen(engine, local.host, local.port, encoded, stockNumber);
      if (typeof bound === "number") throw listenError(bound, target, operation);
      const [number, host, port] = bound;
      const removeFile = "path" in target ? fileRemoval(target.path) : undefined;
      const context = { binding: this.#binding, engine, settings, takes: this.#takes };
      const listener: EngineListener = { handlers, context, isOpen: true };
      this.#listeners[number] = listener;
      const close = (): void => {
        if (!listener.isOpen) return;
        listener.isOpen = false;
        this.#binding.unlisten(engine, number);
        removeFile?.();
        this.#release();
      };
      return { address: { host, port }, close };
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  createStock(): DialStock {
    return new NativeStock();
  }

  #startedEngine(): Engine {
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
    // The system would close open sockets as if they had ended. The engine resets them.
    process.once("exit", this.#stop);
    return engine;
  }

  readonly #stop = (): void => {
    if (this.#engine) this.#binding.stop(this.#engine);
  };

  /** Reports threads that hang, and takes events in case a wake-up was lost. */
  #check(): void {
    if (!this.#engine) return;
    const before = this.#stuck;
    this.#stuck = this.#binding.check(this.#engine);
    if (this.#stuck > before) {
      const what = `${this.#stuck} of ${this.#threads} threads of the native relay hang`;
      const error = new GatewayError("unavailable", `${what}: their connections stand still`);
      for (const { isOpen, handlers } of this.#listeners) if (isOpen) handlers.onError(error);
    }
    this.#takeAll();
    this.#stopUnlessInUse();
  }

  #release(): void {
    this.#inUse -= 1;
    // Not within the handling of events, from where this may be called.
    if (this.#inUse === 0) setImmediate(() => this.#stopUnlessInUse());
  }

  #stopUnlessInUse(): void {
    const engine = this.#engine;
    if (this.#inUse > 0 || !engine) return;
    const stocks = this.#listeners.map(({ handlers }) => handlers.stock).filter(isNative);
    // Clients that are reported soon, except by a thread that hangs. The end of the last one leads here again.
    if (this.#stuck === 0 && stocks.some(stock => stock.hasUnreported(engine))) return;
    process.off("exit", this.#stop);
    this.#stop();
    for (const stock of stocks) stock.close(engine);
    this.#wake?.destroy();
    clearInterval(this.#watchdog);
    this.#stuck = 0;
    this.#engine = undefined;
    this.#wake = undefined;
    this.#connections = [];
    this.#listeners = [];
  }

  #takeAll(): void {
    const events = this.#events;
    let reported = 0;
    for (;;) {
      if (!this.#engine) return;
      this.#takes.count += 1;
      const count = this.#binding.take(this.#engine, events);
      for (let at = 0; at < count * numbersPerEvent; at += numbersPerEvent) this.#on(events, at);
      // One connection can have three events. The engine stops where there is no room for them.
      reported += count;
      if (count < eventsPerTake - 2) break;
    }
    if (reported > 0) this.#afterReports();
  }

  #afterReports(): void {
    for (const { isOpen, handlers } of this.#listeners)
      if (isOpen)
        try {
          handlers.onReported?.();
        } catch (error) {
          throwLater(error);
        }
  }

  /** Handles one event. An error of a handler is thrown later, so that the next events are handled. */
  #on(events: Float64Array, at: number): void {
    // An integer, so that V8 allocates no number on the heap.
    const slot = (events[at + 1] as number) | 0;
    try {
      const kind = events[at];
      if (kind === eventKinds.accepted)
        this.#accepted(slot, events[at + 2] as number, events[at + 4] as number);
      else if (kind === eventKinds.connected)
        this.#connections[slot]?.onConnected((events[at + 2] as number) | 0, events[at + 4] as number);
      else if (kind === eventKinds.dialFailed)
        this.#connections[slot]?.onDialFailed(events[at + 3] as number, events[at + 2] as number);
      else if (kind === eventKinds.ended) this.#ended(slot, events, at);
      else if (kind === eventKinds.stalled) this.#connections[slot]?.onStalled();
      else this.#acceptFailed(events[at + 2] as number, events[at + 3] as number);
    } catch (error) {
      throwLater(error);
    }
  }

  /** @param ticket of its dial; -1: none */
  #accepted(slot: number, number: number, ticket: number): void {
    this.#inUse += 1;
    const { handlers, context, isOpen } = this.#listeners[number] as EngineListener;
    const dial = ticket < 0 ? undefined : (handlers.stock as NativeStock).taken(ticket);
    // The listener was closed after it had accepted this client, which nobody has decided about.
    if (!isOpen && !dial) {
      this.#binding.abort(this.#engine as Engine, slot);
      return;
    }
    const connection = new Connection(slot, context, dial);
    this.#connections[slot] = connection;
    try {
      connection.events = dial ? handlers.onClient(connection, dial) : handlers.onClient(connection);
    } finally {
      if (!connection.events) connection.abort();
    }
  }

  #acceptFailed(listener: number, errno: number): void {
    const { handlers, isOpen } = this.#listeners[listener] as EngineListener;
    if (isOpen) handlers.onError(GatewayError.from(systemError(errno, "accept"), "accept"));
  }

  #ended(slot: number, events: Float64Array, at: number): void {
    const connection = this.#connections[slot];
    this.#connections[slot] = undefined;
    this.#release();
    connection?.onEnded(events, at);
  }
}

function isNative(stock: DialStock | undefined): stock is NativeStock {
  return stock instanceof NativeStock;
}

function throwLater(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}

/** An address with an IP literal, or that of a Unix socket. */
async function toAddress(target: Address | SocketPath, operation: string): Promise<Address> {
  if ("path" in target) return unixAddress(target.path);
  const { host, port } = target;
  try {
    return isIP(host) ? target : { host: (await lookup(host)).address, port };
  } catch (error) {
    throw GatewayError.from(error, operation);
  }
}
