import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Program, runProgram, startProgram } from "@gw/testing";

/** The load program, compiled: see load/load.c. */
export interface Load {
  /** Starts the backend, which serves until it is disposed of, at one address or more. */
  serve(endpoints?: number): Promise<Backend>;
  /** Starts a part of the program that reports events. */
  start(part: string, settings: Settings, command?: readonly string[]): LoadProgram;
}

/** The settings of a part; see `struct settings` in load.h. */
export type Settings = { readonly [name: string]: string | number };

/** What subjects forward connections to. */
interface Backend extends AsyncDisposable {
  /** The first of its addresses, as `host:port`. */
  readonly address: string;
  readonly addresses: readonly string[];
}

/** A running part. */
export interface LoadProgram extends AsyncDisposable {
  readonly pid: number;
  /** Resolves with the event of this name. Rejects if the part fails, or after `withinMs`. */
  event(name: string, withinMs: number): Promise<Report>;
}

/** The numbers of an event. */
export type Report = { readonly [name: string]: number };

const sources = fileURLToPath(new URL("../load", import.meta.url));
const cache = fileURLToPath(new URL("../../../node_modules/.cache/gw-bench", import.meta.url));

/** Compiles the load program with `cc`, unless the same sources were compiled before. */
export async function compileLoad(): Promise<Load> {
  const files = readdirSync(sources).sort();
  const digest = createHash("sha256");
  for (const file of files) digest.update(readFileSync(join(sources, file)));
  const program = join(cache, `load-${digest.digest("hex").slice(0, 16)}`);
  if (!existsSync(program)) {
    mkdirSync(cache, { recursive: true });
    const parts = files.filter(file => file.endsWith(".c")).map(file => join(sources, file));
    const output = `${program}.${process.pid}`;
    const { code, stderr } = await runProgram("cc", ["-O2", "-Wall", "-Werror", "-o", output, ...parts]);
    if (code !== 0) throw new Error(`cc: ${stderr}`);
    renameSync(output, program);
  }
  return {
    async serve(endpoints = 1) {
      const part = reportsOf(startProgram(program, ["serve", `endpoints=${endpoints}`]));
      const { port } = await part.event("serving", 5_000);
      const addresses = Array.from({ length: endpoints }, (_, n) => `${backendHost(n)}:${port}`);
      return { address: addresses[0] ?? "", addresses, [Symbol.asyncDispose]: part[Symbol.asyncDispose] };
    },
    start(part, settings, command) {
      const given = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
      // The command that it starts joins its process group.
      return reportsOf(
        startProgram(program, [part, ...given, ...(command ? ["--", ...command] : [])], group),
      );
    },
  };
}

const group = { detached: true };

/** The `n`th address of the backend: see `serve` in serve.c. */
function backendHost(n: number): string {
  return n === 0 ? "127.0.0.1" : `127.1.${n >> 8}.${n & 255}`;
}

function reportsOf(program: Program): LoadProgram {
  return {
    get pid() {
      return program.pid;
    },
    async event(name, withinMs) {
      const pattern = new RegExp(`^\\{"event":"(?:${name}|failed)".*\\}$`, "m");
      const timer = new AbortController();
      const timeout = setTimeout(withinMs, undefined, { signal: timer.signal }).then(() => {
        throw new Error(`the load program did not report "${name}" within ${withinMs} ms`);
      });
      const printed = program.printed(pattern);
      printed.catch(() => {});
      try {
        const [line] = await Promise.race([printed, timeout]);
        const { event, error, ...numbers } = JSON.parse(line ?? "");
        if (event === "failed") throw new Error(error);
        return numbers;
      } finally {
        timer.abort();
        timeout.catch(() => {});
      }
    },
    [Symbol.asyncDispose]: program[Symbol.asyncDispose],
  };
}
