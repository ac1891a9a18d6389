import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Outcome, type Program, type ProgramOptions, runProgram, startProgram } from "./program.js";
import { freePort } from "./sockets.js";

const bin: string = fileURLToPath(new URL("../../../apps/cli/bin/gw.js", import.meta.url));

/** A line of the gateway's JSON log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A running gateway. */
export interface Gw extends Program {
  /** `host:port` of its first listener. */
  readonly address: string;
  readonly port: number;
  /** All lines of its log so far. */
  readonly log: readonly LogLine[];
  /** Resolves with the first line, past or future, whose message matches, and that has these fields. */
  logged(message: RegExp, fields?: { readonly [field: string]: string }): Promise<LogLine>;
}

/** Options of {@link startGw}. */
export interface GwOptions extends ProgramOptions {
  /** Command and arguments that run it on another host of a network when placed before it. */
  readonly commandPrefix?: readonly string[];
  /** The `gw.js` of another build. @default the build of this repository */
  readonly program?: string | undefined;
}

/**
 * Starts the built `gw start` on a free port, logging JSON at debug, and waits until it is ready.
 *
 * @param args further flags; `--listen-addr` among them replaces the free port
 */
export async function startGw(args: readonly string[], options: GwOptions = {}): Promise<Gw> {
  const flags = ["--log-format=json", "--log-level=debug", ...args];
  // An ephemeral port may have been that of a client shortly before, and still be in the system's table of sockets.
  if (!args.some(arg => arg.startsWith("--listen-addr")))
    flags.push(`--listen-addr=127.0.0.1:${await freePort()}`);
  const [command = "", ...rest] = [
    ...(options.commandPrefix ?? []),
    process.execPath,
    options.program ?? bin,
    "start",
    ...flags,
  ];
  const program = startProgram(command, rest, options);
  try {
    await program.printed(/"msg":"ready to proxy client requests"/);
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
  const lines: LogLine[] = [];
  let readTo = 0;
  const log = (): readonly LogLine[] => {
    const { output } = program;
    for (let end = output.indexOf("\n", readTo); end >= 0; end = output.indexOf("\n", readTo)) {
      const line = output.slice(readTo, end);
      if (line.startsWith("{")) lines.push(JSON.parse(line));
      readTo = end + 1;
    }
    return lines;
  };
  const ready = log().find(line => line.msg === "ready to proxy client requests");
  const [address = ""] = (ready?.["listen"] ?? []) as string[];
  return Object.defineProperties(program as Gw, {
    address: { value: address },
    port: { value: Number(address.slice(address.lastIndexOf(":") + 1)) },
    log: { get: log },
    logged: {
      value: async (message: RegExp, fields: { readonly [field: string]: string } = {}) => {
        const matches = (line: LogLine): boolean =>
          message.test(line.msg) && Object.entries(fields).every(([name, value]) => line[name] === value);
        for (;;) {
          const { running } = program;
          // Its last output arrives after its end.
          if (!running) await program.exit;
          const found = log().find(matches);
          if (found) return found;
          if (!running) throw new Error(`gw ended without logging ${message}:\n${program.output}`);
          await once(program.child, "printed");
        }
      },
    },
  });
}

/** Runs `gw` to its end, with these arguments only. */
export function runGw(args: readonly string[], options: ProgramOptions = {}): Promise<Outcome> {
  return runProgram(process.execPath, [bin, ...args], options);
}
