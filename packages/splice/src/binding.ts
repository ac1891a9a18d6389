import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Socket, type SocketConstructorOpts } from "node:net";
import { dirname, join } from "node:path";
import { getSystemErrorName } from "node:util";
import { GatewayError, messageOf, type RelaySettings } from "@gw/interface";

/** The functions of `native/binding`. Those that can fail return an errno. */
export interface Binding {
  /** Sends a state to a service manager: 0, or an errno. */
  notify(socket: string, state: string): number;
  selfTest(): number;
  start(threads: number): [engine: Engine, wakeFd: number] | number;
  stop(engine: Engine): void;
  /** The most pipes that an engine may have; each takes two descriptors. */
  pipeLimit(): number;
  /** How many threads hang; to be called once a second. */
  check(engine: Engine): number;
  /**
   * @param host an IP literal, or `unix:` and a path
   * @param settings see {@link encodeSettings}
   * @param stock the number of a stock; -1: none
   */
  listen(
    engine: Engine,
    host: string,
    port: number,
    settings: Uint32Array,
    stock: number,
  ): [listener: number, host: string, port: number] | number;
  /** The same with a socket that listens already. It is the engine's, unless this fails. */
  listenOn(
    engine: Engine,
    fd: number,
    settings: Uint32Array,
    stock: number,
  ): [listener: number, host: string, port: number] | number;
  unlisten(engine: Engine, listener: number): void;
  /** Writes events, {@link numbersPerEvent} each, and returns how many. */
  take(engine: Engine, events: Float64Array): number;
  /** @param addresses host, port, host, port, … */
  dial(engine: Engine, slot: number, addresses: readonly (string | number)[], timeoutMs: number): number;
  /** A new stock: its number, or -1 without memory. */
  newStock(engine: Engine): number;
  /** Adds up to `copies` dials, all to these addresses, as `dial`; returns how many. */
  stock(
    engine: Engine,
    stock: number,
    addresses: readonly (string | number)[],
    timeoutMs: number,
    copies: number,
  ): number;
  /** Takes out the oldest dial; returns its ticket, or -1. */
  takeStocked(engine: Engine, stock: number): number;
  /** Takes out all dials; returns how many. */
  unstock(engine: Engine, stock: number): number;
  cancelDial(engine: Engine, slot: number): void;
  close(engine: Engine, slot: number): void;
  abort(engine: Engine, slot: number): void;
  /** @param side 0 is the client, 1 the backend */
  bytes(engine: Engine, slot: number, side: 0 | 1): number;
  /** For how long the client has been waiting for an answer, in milliseconds; -1: it does not, or that is unknown. */
  waiting(engine: Engine, slot: number): number;
  /** How long ago the backend last sent a byte, in milliseconds; -1: never, or that is unknown. */
  answered(engine: Engine, slot: number): number;
  /** The address of the client. */
  peer(engine: Engine, slot: number): [host: string, port: number];
  /** `_exit(2)`. */
  exitNow(code: number): never;
}

/** A handle that only the binding can read. */
export type Engine = { readonly engine: unique symbol };

/**
 * The numbers of an event: its kind; the slot of the connection; the reason and which side ended first, or the
 * listener, or the index of a dial's address; an errno; bytes from the client; bytes from the backend; for how
 * long a client that gave up had been waiting. In place of the bytes from the client: of `accepted` the ticket of its dial
 * or -1, of `connected` the microseconds from accept to connection, if the dial had a ticket.
 */
export const numbersPerEvent = 7;

/** `enum event_kind` of the engine. */
export const eventKinds = {
  accepted: 1,
  connected: 2,
  dialFailed: 3,
  ended: 4,
  acceptFailed: 5,
  stalled: 6,
} as const;

/** `enum reason` of the engine, in its order. */
export const endReasons = [
  "finished",
  "client-failed",
  "backend-failed",
  "idle",
  "half-closed",
  "blocked",
  "closed",
  "aborted",
] as const;

/** `struct settings` of the engine. */
export function encodeSettings(settings: RelaySettings): Uint32Array {
  return Uint32Array.of(
    settings.keepAliveDelayMs,
    settings.keepAliveIntervalMs,
    settings.keepAliveProbes,
    settings.userTimeoutMs,
    settings.idleTimeoutMs,
    settings.halfCloseTimeoutMs,
    settings.writeTimeoutMs,
    // Rounded up, so that it is not switched off, and never early.
    Math.ceil(settings.stallTimeoutMs ?? 0),
  );
}

/** Calls `onWake` whenever an engine has events to take. @param fd the `wakeFd` of the engine */
export function wakeSocket(fd: number, onWake: () => void): Socket {
  const callback = (): boolean => {
    onWake();
    return true;
  };
  // The constructor takes `onread`, though Node's types have it for `connect` only.
  const options = { fd, readable: true, writable: false, onread: { buffer: Buffer.alloc(64), callback } };
  return new Socket(options as SocketConstructorOpts);
}

let addon: Binding | GatewayError | undefined;
let tested: GatewayError | "passed" | undefined;

/**
 * The binding, loaded and tested the first time.
 *
 * @throws {GatewayError} `unavailable`: there is none for this platform, it cannot be loaded, or its self-test failed
 */
export function loadBinding(): Binding {
  const binding = loadAddon();
  tested ??= test(binding);
  if (tested instanceof GatewayError) throw tested;
  return binding;
}

/**
 * The binding, loaded the first time, without a test of what the relay needs.
 *
 * @throws {GatewayError} `unavailable`: there is none for this platform, or it cannot be loaded
 */
export function loadAddon(): Binding {
  addon ??= load();
  if (addon instanceof GatewayError) throw addon;
  return addon;
}

function test(binding: Binding): GatewayError | "passed" {
  const error = binding.selfTest();
  return error === 0 ? "passed" : unavailable(`its self-test failed: ${errnoName(error)}`);
}

function load(): Binding | GatewayError {
  const name = `${process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  // By the name of the package: this code may be part of another one's bundle.
  const path = join(dirname(require.resolve("@gw/splice/package.json")), "prebuilt", `${name}.node`);
  if (!existsSync(path)) return unavailable(`there is no binary for ${name}`);
  try {
    if (isCutOff(readFileSync(path))) return unavailable(`${name}.node is cut off`);
    return require(path) as Binding;
  } catch (cause) {
    return unavailable(`${name}.node cannot be loaded: ${messageOf(cause)}`, cause);
  }
}

/** Whether the file ends before its section headers, which come last. Loading it would crash the process. */
function isCutOff(file: Buffer): boolean {
  const is64BitLittleEndian = file.length >= 64 && file[4] === 2 && file[5] === 1;
  if (!is64BitLittleEndian) return false;
  return file.length < Number(file.readBigUInt64LE(40)) + file.readUInt16LE(58) * file.readUInt16LE(60);
}

function unavailable(why: string, cause?: unknown): GatewayError {
  return new GatewayError("unavailable", `native relay: ${why}`, { cause });
}

/** The error that Node would throw for an errno. */
export function systemError(errno: number, syscall: string): Error {
  const code = errnoName(errno);
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno: -errno, syscall });
}

/** The name of an errno, as `EAGAIN`. */
export function errnoName(errno: number): string {
  return getSystemErrorName(-errno);
}
