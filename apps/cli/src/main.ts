import { GatewayError, messageOf, withoutCredentials } from "@gw/interface";
import { Command, CommanderError } from "commander";
import { addCheck } from "./commands/check.js";
import { addDrain, addUndrain } from "./commands/drain.js";
import { addMaintain } from "./commands/maintain.js";
import { addReplay } from "./commands/replay.js";
import { addResolve } from "./commands/resolve.js";
import { addStart, start } from "./commands/start.js";
import { addTop } from "./commands/top.js";
import { addWhy } from "./commands/why.js";
import { addDemoFlags, refuseStartFlags } from "./demo/demo-flags.js";
import { listenFlags } from "./flags/connections.js";
import { environmentHelp } from "./flags/environment.js";
import { nearest } from "./flags/nearest.js";
import { optionsInForce } from "./flags/options-in-force.js";
import {
  addDeclaredFlags,
  addFlagsInShort,
  addGivenFlags,
  declaredFlags,
  declareFlags,
  startFlags,
  valuesOf,
} from "./flags/table.js";
import { finishPrinting, flushErrors, printError, printLines } from "./output/stdio.js";
import { onFatal } from "./process/events.js";
import { ExitCode } from "./process/exit-code.js";
import { stopRequested } from "./process/stop-signals.js";
import { version } from "./process/version.js";

export { endProcess } from "./process/end.js";

/** The process's exit codes; see also docs/configuration.md. */
const exitCode = { requestedStop: 0, failure: 1, badUsage: 2 } as const;

/** Runs one command of `gw`, and returns the exit code. An error is one line on stderr. */
export async function main(args: readonly string[]): Promise<number> {
  // The timers of the packages do not keep a process alive; a command that waits, for DNS say, must.
  const alive = setInterval(() => {}, 2 ** 30);
  onFatal(error => {
    printError(`unexpected: ${messageOf(error)}`);
    return flushErrors();
  });
  let code = await run(args);
  try {
    await finishPrinting(stopRequested);
  } catch (error) {
    if (code === exitCode.requestedStop) printError(GatewayError.from(error, "print").detail);
    code ||= exitCode.failure;
  }
  await flushErrors();
  clearInterval(alive);
  return code;
}

async function run(args: readonly string[]): Promise<number> {
  try {
    // `etcd gateway start`, as in etcd's documentation, works with `etcd` as an alias of gw.
    const own = args[0] === "gateway" ? args.slice(1) : args;
    await program(own).parseAsync(own, { from: "user" });
    return exitCode.requestedStop;
  } catch (error) {
    // Commander has printed its message already; help and version are not errors.
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? exitCode.requestedStop : exitCode.badUsage;
    if (error instanceof ExitCode) return error.code;
    printError(error instanceof GatewayError ? error.detail : `unexpected: ${messageOf(error)}`);
    return isConfiguration(error) ? exitCode.badUsage : exitCode.failure;
  }
}

/** The flags that `gw --help` shows; `gw start --help` has all. */
const frequent = [
  "listen-addr",
  "endpoints",
  "discovery-srv",
  "discovery-members",
  "trusted-ca-file",
  "health-check",
  "selector",
  "log-level",
];

function program(args: readonly string[]): Command {
  const gw = new Command("gw")
    .description("TCP gateway for etcd: one stable local address for a cluster whose members change.")
    .usage("[start] [flags]")
    .version(version(), "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .configureHelp({
      optionDescription: ({ description }) => description,
      subcommandTerm: command => command.name(),
    })
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText("after", `\nAll flags: gw start --help\n${environmentHelp}`)
    .configureOutput({
      writeOut: text => printLines(text.trimEnd().split("\n")),
      outputError: message => printError(oneLine(message, gw)),
    });
  const rejectCommand = (name: string): never =>
    gw.error(
      `unknown command '${name}'${suggestion(
        name,
        gw.commands.map(command => command.name()),
      )}`,
    );
  gw.argument("[command]").action((name: string | undefined) => {
    if (name !== undefined) rejectCommand(name);
    return start(valuesOf(gw, gw, startFlags), () => optionsInForce(gw, gw, startFlags));
  });
  addStart(gw);
  addResolve(gw);
  addCheck(gw);
  addWhy(gw);
  addReplay(gw, args);
  addTop(gw);
  addDrain(gw);
  addUndrain(gw);
  addMaintain(gw);
  addDemo(gw);
  gw.command("version")
    .description("print the version")
    .action(() => printLines([version()]));
  // Commander's own `help` takes an unknown command for none.
  gw.command("help")
    .argument("[command]")
    .description("print the help of a command")
    .action((name: string | undefined) => {
      const isGw = name === undefined || name === "gateway";
      const command = isGw ? gw : gw.commands.find(one => one.name() === name);
      const shown = command ?? rejectCommand(name ?? "");
      addDeclaredFlags(shown);
      shown.outputHelp();
    });
  gw.hook("preSubcommand", (_, command) => addGivenFlags(command, args));
  // Its own are those of `start`, and are not read where a command stands first.
  if (args[0] === "help" || !gw.commands.some(command => command.name() === args[0]))
    addFlagsInShort(gw, args, startFlags, frequent);
  return gw;
}

function addDemo(gw: Command): void {
  const command = gw
    .command("demo")
    .description("watch gw in front of three members")
    .usage("[flags]")
    .helpOption("-h, --help", "print this help");
  declareFlags(command, listenFlags);
  addDemoFlags(command);
  command.action(async (own: { readonly standIn?: boolean; readonly every?: number }) => {
    refuseStartFlags(gw);
    const { standIn = false, every } = own;
    const listen = valuesOf(gw, command, listenFlags);
    const { demo } = await import("./demo/demo.js");
    return demo({ ...listen, standIn, ...(every !== undefined && { every }) });
  });
}

/** The nearest known name, in commander's words for flags. */
function suggestion(name: string, known: readonly string[]): string {
  const similar = nearest(name, known);
  return similar === undefined || similar === name ? "" : ` (Did you mean ${similar}?)`;
}

/** Commander's message, without the passwords that it may have. */
function oneLine(message: string, gw: Command): string {
  const text = message
    .replace(/^error: /, "")
    .trim()
    .replace(/\n\s*/g, " ");
  // A misspelt `--etcd-user=name:password` must not show the password. Commander also compares the value with the flags.
  const misspelt = /^unknown option '(-[^'=]*)=/.exec(text)?.[1];
  if (misspelt !== undefined) return `unknown option '${misspelt}=…'${suggestion(misspelt, flagsOf(gw))}`;
  const [before, value, after] = text.split(/(?<= argument ')(.*?)(?=' is invalid\. )/s);
  return value === undefined ? withoutCredentials(text) : `${before}${withoutCredentials(value)}${after}`;
}

function flagsOf(gw: Command): readonly string[] {
  return [gw, ...gw.commands].flatMap(command => [
    ...command.options.flatMap(({ long }) => long ?? []),
    ...declaredFlags(command),
  ]);
}

function isConfiguration(error: unknown): boolean {
  return error instanceof GatewayError && (error.code.startsWith("invalid-") || error.code === "self-loop");
}
