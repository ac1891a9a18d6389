import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { getSystemErrorName } from "node:util";
import { GatewayError, messageOf } from "@gw/interface";

/** The engine behind the binding; see `native/binding.c`. An errno stands for failure. */
export interface Binding {
  /** Sends a state to a service manager: 0, or an errno. */
  notify(socket: string, state: string): number;
  selfTest(): number;
  start(threads: number): [engine: Engine, wakeFd: number] | number;
  stop(engine: Engine): void;
  /** How many pipes an engine with so many threads may have; each takes two descriptors. */
  pipeLimit(threads: number): number;
  /** How many threads hang; to be called once a second. */
  check(engine: Engine): number;
  listen(
    engine: Engine,
    host: string,
    port: number,
    settings: Uint32Array,
  ): [listener: number, host: string, port: number] | number;
  unlisten(engine: Engine, listener: number): void;
  /** How many events were written, {@link numbersPerEvent} each. */
  take(engine: Engine, events: Float64Array): number;
  dial(engine: Engine, slot: number, host: string, port: number, timeoutMs: number): number;
  /** `addresses`: host, port, host, port, … */
  dialAny(engine: Engine, slot: number, addresses: readonly (string | number)[], timeoutMs: number): void;
  cancelDial(engine: Engine, slot: number): void;
  close(engine: Engine, slot: number): void;
  abort(engine: Engine, slot: number): void;
  bytes(engine: Engine, slot: number, side: 0 | 1): number;
  peer(engine: Engine, slot: number): [host: string, port: number];
  /** `_exit(2)`. */
  exitNow(code: number): never;
}

/** Known to the binding alone. */
export type Engine = { readonly engine: unique symbol };

/** Kind, slot, reason or listener or which address of a dial, errno, bytes from the client, bytes from the backend. */
export const numbersPerEvent = 6;

let addon: Binding | GatewayError | undefined;
let tested: GatewayError | "passed" | undefined;

/**
 * The binding, loaded and tried once for all.
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
 * The binding, without a try of what the relay needs.
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
  const path = fileURLToPath(new URL(`../prebuilt/${name}.node`, import.meta.url));
  if (!existsSync(path)) return unavailable(`there is no binary for ${name}`);
  try {
    if (isCutOff(readFileSync(path))) return unavailable(`${name}.node is cut off`);
    return createRequire(import.meta.url)(path) as Binding;
  } catch (cause) {
    return unavailable(`${name}.node cannot be loaded: ${messageOf(cause)}`, cause);
  }
}

/** Whether the file ends before its section headers, which are last: to load it would end the process. */
function isCutOff(file: Buffer): boolean {
  const is64BitLittleEndian = file.length >= 64 && file[4] === 2 && file[5] === 1;
  if (!is64BitLittleEndian) return false;
  return file.length < Number(file.readBigUInt64LE(40)) + file.readUInt16LE(58) * file.readUInt16LE(60);
}

function unavailable(why: string, cause?: unknown): GatewayError {
  return new GatewayError("unavailable", `native relay: ${why}`, { cause });
}

/** What Node would throw for an errno. */
export function systemError(errno: number, syscall: string): Error {
  const code = errnoName(errno);
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno: -errno, syscall });
}

/** `EAGAIN`. */
export function errnoName(errno: number): string {
  return getSystemErrorName(-errno);
}
