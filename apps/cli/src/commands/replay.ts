import { GatewayError, printable } from "@gw/interface";
import { type Command, InvalidArgumentError, Option } from "commander";
import { formatDuration } from "../flags/duration.js";
import { failoverFlags } from "../flags/failover.js";
import type { Values } from "../flags/flag.js";
import { startFlags } from "../flags/table.js";
import { printJson, printLines } from "../output/stdio.js";

/** Those that can change what a replay decides. */
const { retryDelayMs, maxRetryDelayMs, panicThreshold } = failoverFlags;
const flags = { retryDelayMs, maxRetryDelayMs, panicThreshold };

/** Adds `gw replay`. @param args those of the command line */
export function addReplay(gw: Command, args: readonly string[]): void {
  const command = gw
    .command("replay")
    .argument("<file>", "what was saved from /events?replay")
    .description("say what other flags would have decided")
    .usage("[flags] <file>")
    .option("--json", "print JSON: the sentences and all decisions")
    .helpOption("-h, --help", "print this help")
    .addHelpText(
      "after",
      "\nFlags that are not given are those of the record. Save a record with\n  curl 'http://ADMIN-ADDR/events?replay' > record.json",
    );
  addOwn(command);
  takeOthers(command, args);
  command.action((file: string, own: Values<typeof flags> & { readonly json?: boolean }) => {
    rejectOthers(command);
    return replay(file, changedBy(command), own.json ?? false);
  });
}

/** Without defaults and environment variables, which are those of a gateway. */
function addOwn(command: Command): void {
  for (const { name, placeholder, help, parse } of Object.values(flags))
    command.addOption(
      new Option(`--${name} ${placeholder}`, help).argParser((text: string) => {
        try {
          return parse(text, undefined);
        } catch (error) {
          throw error instanceof GatewayError ? new InvalidArgumentError(error.detail) : error;
        }
      }),
    );
}

/** The flags that are given; no environment variables, which are those of a gateway. */
function changedBy(command: Command): Values<typeof flags> {
  const changed: { [key: string]: unknown } = {};
  for (const [key, { name }] of Object.entries(flags)) {
    const value: unknown = command.getOptionValue(attributeOf(name));
    if (value !== undefined) changed[key] = value;
  }
  return changed as Values<typeof flags>;
}

/** Takes those flags of `gw start` that are among `args`, so that the error can say why they change nothing. */
function takeOthers(command: Command, args: readonly string[]): void {
  const given = new Set(args.map(arg => arg.split("=", 1)[0]));
  const known = new Set(Object.values(flags).map(({ name }) => name));
  for (const { name } of Object.values(startFlags))
    if (given.has(`--${name}`) && !known.has(name))
      command.addOption(new Option(`--${name} [value]`).hideHelp());
}

/** @throws {GatewayError} `invalid-option` if one of the flags that change nothing was given */
function rejectOthers(command: Command): void {
  const own = new Set(Object.values(flags).map(({ name }) => name));
  for (const { name, group } of Object.values(startFlags))
    if (!own.has(name) && command.getOptionValue(attributeOf(name)) !== undefined)
      throw new GatewayError(
        "invalid-option",
        `--${name} changes nothing in a replay: ${reasons[group] ?? "the recorded decisions do not depend on it"}`,
      );
}

/** The name under which commander keeps the value of a flag. */
function attributeOf(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

const reasons: { readonly [group: string]: string } = {
  Endpoints: "the sets of endpoints are those of the record",
  Discovery: "the sets of endpoints are those of the record",
  "Health checks": "the verdicts of health checks are those of the record",
  Failover: "it decides neither which endpoints are down nor for how long",
};

/** @throws {GatewayError} `invalid-option` if the longest delay is less than the first one, which may be that of the record */
function rejectShortMaximum(given: Values<typeof flags>, recordedMs: number): void {
  const { retryDelayMs: least = recordedMs, maxRetryDelayMs: most = Infinity } = given;
  if (most >= least) return;
  const whose = given.retryDelayMs === undefined ? ", that of the record" : "";
  throw new GatewayError(
    "invalid-option",
    `--max-retry-delay ${formatDuration(most)} is less than --retry-delay ${formatDuration(least)}${whose}`,
  );
}

/** @throws {GatewayError} `invalid-option` if the file is no record, or the flags contradict it */
async function replay(file: string, given: Values<typeof flags>, json: boolean): Promise<void> {
  const [{ readRecord }, { differences }, { localTime }, { replayDecisions, maxReplayed }] =
    await Promise.all([
      import("../why/read-record.js"),
      import("../why/compare-decisions.js"),
      import("../why/local-time.js"),
      import("@gw/selector"),
    ]);
  const record = await readRecord(file);
  const { retryDelayMs: delayMs = 0 } = given;
  rejectShortMaximum(given, record.options.retryDelayMs);
  // As at a start, the longest delay follows a longer first one.
  const isLonger = given.maxRetryDelayMs === undefined && delayMs > record.options.maxRetryDelayMs;
  const changed = isLonger ? { ...given, maxRetryDelayMs: delayMs } : given;
  const wall = (ms: number): Date => new Date(record.wallMs + ms - record.clockMs);
  const time = localTime(wall(record.untilMs));
  const result = await replayDecisions(record, changed).catch((error: unknown) => {
    throw new GatewayError("invalid-option", GatewayError.from(error, "replay the record").detail, {
      cause: error,
    });
  });
  const told = differences(result, record, time);
  const options = { ...record.options, ...changed };
  const isChanged = Object.keys(changed).length > 0;
  const lines = [
    `The record is from ${time.full(wall(record.fromMs).toISOString())} to ${time.full(wall(record.untilMs).toISOString())}, with ${result.recorded.length} decisions.`,
    ...(record.start.entries.length > 0
      ? ["It begins while the gateway was running: what happened before is no longer kept."]
      : []),
    `${isChanged ? "With" : "With the same flags,"} --retry-delay=${formatDuration(options.retryDelayMs)} --max-retry-delay=${formatDuration(options.maxRetryDelayMs)} --panic-threshold=${Math.round(options.panicThreshold * 10_000) / 100}%:`,
    ...(told.length === 0 ? ["The same decisions."] : told),
    ...(result.isCut ? [`The replay ended early, after ${maxReplayed} retries.`] : []),
    ...(isChanged && told.length > 0
      ? [
          "",
          "A retry at another time than in the record is given the result of the recorded retry that is nearest in time. Clients and health checks are those of the record.",
        ]
      : []),
  ].map(printable);
  if (json) {
    printJson({
      schema: 1,
      same: told.length === 0,
      sentences: lines.filter(line => line !== ""),
      ...result,
    });
    return;
  }
  printLines(lines);
}
