import { constants, fstatSync, openSync } from "node:fs";
import { aborted, GatewayError, messageOf, printable } from "@gw/interface";
import { cut } from "./bounded.js";
import { type Output, openOutput } from "./output.js";

/** Longer lines are cut, in characters. */
const maxLine = 4_000;
/** How long the program waits for its output to be read when it ends, in milliseconds. */
const finalWriteMs = 1_000;

const opened: { stdout?: Output; stderr?: Output } = {};
const closed = new AbortController();
let failed = (_: NodeJS.ErrnoException): void => {};

/** Standard error: one for the whole process, so that lines keep their order. */
export function stderr(): Output {
  opened.stderr ??= openOutput(nonBlocking(2));
  return opened.stderr;
}

function stdout(): Output {
  opened.stdout ??= openOutput(nonBlocking(1), {
    onError(error) {
      if (error.code === "EPIPE") closed.abort("standard output was closed by its reader");
      else failed(error);
    },
  });
  return opened.stdout;
}

/** Aborted when the reader of standard output has closed it, as `| head` does. */
export const stdoutClosed: AbortSignal = closed.signal;

/** Prints text lines on standard output, with control characters escaped. */
export function printLines(lines: readonly string[]): void {
  stdout().write(textOf(lines));
}

/** Prints a line of JSON on standard output. */
export function printJson(value: unknown): void {
  stdout().write(jsonOf(value));
}

/** Lines as {@link printLines} prints them. */
export function textOf(lines: readonly string[]): string {
  return lines.map(line => `${printable(cut(line, maxLine))}\n`).join("");
}

/** A value as {@link printJson} prints it. */
export function jsonOf(value: unknown): string {
  const json = JSON.stringify(value, (_, one) => (typeof one === "string" ? cut(one, maxLine) : one));
  return `${printable(json)}\n`;
}

/** Prints the error that a command fails with, as one line on standard error. */
export function printError(message: string): void {
  printNotice(`error: ${message}`);
}

/** Prints a warning of Node, for commands without a log. */
export function printWarning(warning: Error): void {
  printNotice(`warning: ${messageOf(warning)}`);
}

/** Prints one line about the command itself on standard error. */
function printNotice(message: string): void {
  stderr().write(`gw: ${printable(cut(message, maxLine))}\n`);
}

/** Resolves when standard output is written or closed by its reader, or `signal` is aborted. */
export async function printed(signal: AbortSignal): Promise<void> {
  if (opened.stdout) await Promise.race([opened.stdout.written(), aborted(closed.signal), aborted(signal)]);
}

/**
 * The same at the end of a command.
 *
 * @param stopped aborted when the program should end: then it waits a second at most for a reader
 * @throws {GatewayError} when it cannot be written
 */
export async function finishPrinting(stopped: AbortSignal): Promise<void> {
  const output = opened.stdout;
  if (!output) return;
  const failure = new Promise<never>((_, reject) => {
    failed = reject;
    if (output.error && !closed.signal.aborted) reject(output.error);
  });
  const stop = aborted(stopped).then(finalWriteTimeout);
  try {
    await Promise.race([output.written(), failure, aborted(closed.signal), stop]);
  } catch (error) {
    throw GatewayError.from(error, "write to standard output");
  }
}

/** Resolves when standard error is written, or after a second: a reader that does not read must not delay the end. */
export async function flushErrors(): Promise<void> {
  if (opened.stderr) await Promise.race([opened.stderr.written(), finalWriteTimeout()]);
}

function finalWriteTimeout(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, finalWriteMs).unref());
}

/**
 * A descriptor for standard output (1) or standard error (2) whose writes do not block.
 *
 * A write to a pipe that is full, or to a terminal that was stopped, blocks until it is read: it would occupy a thread, and
 * keep the process from ending. On Linux a pipe or a terminal is opened a second time, as non-blocking; on other systems,
 * and for sockets, Node's own stream makes the descriptor non-blocking.
 */
export function nonBlocking(fd: 1 | 2): number {
  try {
    // As bigint: realpathSync of Node 20 reads the result of the newest other call of fstat, takes the path for a pipe, and
    // modules are not found any more.
    const stats = fstatSync(fd, { bigint: true });
    if (stats.isFile()) return fd;
    if (process.platform === "linux" && (stats.isFIFO() || stats.isCharacterDevice()))
      return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // It is closed or not ours; a write will fail with the reason.
  }
  try {
    void (fd === 1 ? process.stdout : process.stderr);
  } catch {
    // There is no such stream.
  }
  return fd;
}
