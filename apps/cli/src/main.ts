import { readFileSync } from "node:fs";
import { GatewayError, messageOf, withoutCredentials } from "@gw/interface";
import { Command, CommanderError, type Option } from "commander";
import type { CheckFlags } from "./check.js";
import { addDemoFlags, type DemoFlags, refuseStartFlags } from "./demo/demo-flags.js";
import { discoveryFlags } from "./discovery-flags.js";
import { settings } from "./flag.js";
import { probeFlags } from "./health-flags.js";
import { finishPrinting, flushErrors, printError, printLines, printNotice } from "./output/stdio.js";
import { onFatal, onWarning } from "./process-events.js";
import type { ResolveFlags } from "./resolve.js";
import { connectTimeoutFlag, listenFlag, type StartFlags, startFlags } from "./start-flags.js";
import { stopRequested } from "./stop-signals.js";

export { endProcess } from "./end-process.js";

/** The process's exit codes; see also the README. */
const exitCode = { requestedStop: 0, failure: 1, badUsage: 2 } as const;

/** Runs one command of `gw`, and tells the exit code. What went wrong is one line on stderr. */
export async function main(args: readonly string[]): Promise<number> {
  // The waits of the packages do not keep a process alive; a command that waits (for DNS, say) has to.
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
    // So that `etcd` may be an alias of gw, and the examples of etcd's documents run as they are written.
    const own = args[0] === "gateway" ? args.slice(1) : args;
    await program().parseAsync(own, { from: "user" });
    return exitCode.requestedStop;
  } catch (error) {
    // Commander has printed its message already; help and version are not errors.
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? exitCode.requestedStop : exitCode.badUsage;
    printError(error instanceof GatewayError ? error.detail : `unexpected: ${messageOf(error)}`);
    return isConfiguration(error) ? exitCode.badUsage : exitCode.failure;
  }
}

const environmentHelp = `Each option is also an environment variable: --retry-delay is GW_RETRY_DELAY. The option wins.
Durations are written as in Go: 500ms, 5s, 1m30s.`;

function program(): Command {
  const gw = new Command("gw")
    .description("A TCP gateway for etcd: one stable local address for a cluster whose members come and go.")
    .usage("[start] [options]")
    .version(version(), "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText("after", `\n${environmentHelp}`)
    .configureOutput({
      writeOut: text => printLines(text.trimEnd().split("\n")),
      outputError: message => printError(oneLine(message)),
    });
  addOptions(gw, startFlags());
  gw.argument("[command]").action((name: string | undefined) => {
    if (name !== undefined) gw.error(`unknown command '${name}'`);
    return runGateway(settings<StartFlags>(gw, gw, startFlags()));
  });
  const startCommand = gw
    .command("start")
    .description("run the gateway; this is what gw does when no command is given")
    .addHelpText("after", `\n${environmentHelp}`)
    .helpOption("-h, --help", "print this help");
  addOptions(startCommand, startFlags());
  // Flags may stand before `start` as well, as with `etcd gateway`.
  startCommand.action(() => runGateway(settings<StartFlags>(gw, startCommand, startFlags())));
  const resolveCommand = gw
    .command("resolve")
    .description("print what discovery sees, and check it: records, addresses, certificates")
    .option("--json", "print JSON, a line for each look")
    .option("--watch", "go on, and print again whenever something changed")
    .helpOption("-h, --help", "print this help");
  addOptions(resolveCommand, discoveryFlags());
  resolveCommand.action(async () => {
    const flags = settings<ResolveFlags>(gw, resolveCommand, discoveryFlags());
    onWarning(printWarning);
    const { resolve } = await import("./resolve.js");
    return resolve(flags);
  });
  const checkCommand = gw
    .command("check")
    .description("look at the real endpoints: can they serve, who are they, do they belong together")
    .option("--json", "print JSON")
    .helpOption("-h, --help", "print this help");
  const checkOptions = [...discoveryFlags(), connectTimeoutFlag(), ...probeFlags()];
  addOptions(checkCommand, checkOptions);
  checkCommand.action(async () => {
    const flags = settings<CheckFlags>(gw, checkCommand, checkOptions);
    onWarning(printWarning);
    const { check } = await import("./check.js");
    return check(flags);
  });
  const demoCommand = gw
    .command("demo")
    .description("watch the gateway at work: three members, the one in use stopped every so often")
    .helpOption("-h, --help", "print this help");
  addDemoFlags(demoCommand);
  demoCommand.action(async () => {
    refuseStartFlags(gw);
    const flags = settings<DemoFlags>(gw, demoCommand, [listenFlag()]);
    const { demo } = await import("./demo/demo.js");
    return demo(flags);
  });
  return gw;
}

async function runGateway(flags: StartFlags): Promise<void> {
  const { start } = await import("./start.js");
  return start(flags);
}

function addOptions(command: Command, options: readonly Option[]): void {
  for (const option of options) command.addOption(option);
}

/** Commander's message, which names what was given, even where there is a password in it. */
function oneLine(message: string): string {
  const text = message
    .replace(/^error: /, "")
    .trim()
    .replace(/\n\s*/g, " ")
    // A slip in `--etcd-user=name:password` must not show it either.
    .replace(/(?<=^unknown option '-[^'=]*=).*(?=')/s, "…");
  const [before, value, after] = text.split(/(?<= argument ')(.*?)(?=' is invalid\. )/s);
  return value === undefined ? withoutCredentials(text) : `${before}${withoutCredentials(value)}${after}`;
}

/** A warning of Node, where there is no log. */
function printWarning(warning: Error): void {
  printNotice(`warning: ${messageOf(warning)}`);
}

function isConfiguration(error: unknown): boolean {
  return error instanceof GatewayError && (error.code.startsWith("invalid-") || error.code === "self-loop");
}

function version(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL("../package.json", import.meta.url), "utf8"),
  );
  return manifest.version;
}
