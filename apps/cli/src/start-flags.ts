import { parseEndpoints } from "@gw/discovery";
import { type Address, GatewayError, parseAddress, quote } from "@gw/interface";
import { poolDefaults } from "@gw/selector";
import { dialerDefaults } from "@gw/tcpproxy";
import { type Command, InvalidArgumentError, Option } from "commander";
import { formatDuration, parseDuration } from "./duration.js";
import { builtInSelectors } from "./load-selector.js";
import { logLevels } from "./log.js";

/** What the user said about `gw start`; undefined where nothing was said. */
export interface StartFlags {
  readonly listenAddr?: readonly Address[];
  readonly endpoints?: readonly string[];
  readonly retryDelay?: number;
  readonly connectTimeout?: number;
  readonly maxConnections?: number;
  readonly shutdownGrace?: number;
  readonly selector?: string;
  readonly logLevel?: string;
  readonly logFormat?: "json" | "text";
}

/** What holds where no package owns the setting. The first two are those of `etcd gateway`. */
export const startDefaults = {
  listen: [{ host: "127.0.0.1", port: 23790 }] as readonly Address[],
  endpoints: ["127.0.0.1:2379"] as readonly string[],
  shutdownGraceMs: 10_000,
  logLevel: "info",
};

/**
 * Adds the flags of `gw start` to `command`.
 *
 * @param environment whether `command` reads the environment variables; one command must, so that what was
 *   said on the command line wins wherever it stands
 */
export function addStartFlags(command: Command, { environment }: { readonly environment: boolean }): void {
  for (const option of flags()) command.addOption(environment ? option.env(variable(option)) : option);
}

/** The environment variables that are read. */
export function startVariables(): string[] {
  return flags().map(variable);
}

function flags(): Option[] {
  const duration = formatDuration;
  return [
    flag("--endpoints <list>", "etcd endpoints, comma-separated, repeatable", "127.0.0.1:2379").argParser(
      endpointList,
    ),
    listenFlag(),
    flag(
      "--retry-delay <duration>",
      "how long a failed endpoint is set aside before it is tried again",
      duration(poolDefaults.retryDelayMs),
    ).argParser(parsing(parseDuration)),
    flag(
      "--connect-timeout <duration>",
      "how long an endpoint may take to accept a connection",
      duration(dialerDefaults.connectTimeoutMs),
    ).argParser(parsing(parseDuration)),
    flag(
      "--max-connections <number>",
      "refuse more clients than this",
      "what ulimit -n allows, the most in any case",
    ).argParser(parsing(parseCount)),
    flag(
      "--shutdown-grace <duration>",
      "how long open connections may go on after SIGTERM or SIGINT",
      duration(startDefaults.shutdownGraceMs),
    ).argParser(parsing(parseDuration)),
    flag(
      "--selector <name>",
      "policy that picks endpoints: a built-in, a package, or a path",
      Object.keys(builtInSelectors)[0],
    ),
    flag("--log-level <level>", "least level to log", startDefaults.logLevel).choices(logLevels),
    flag(
      "--log-format <format>",
      "log lines for machines or for people",
      "text on a terminal, else json",
    ).choices(["json", "text"]),
    ...comingLater.map(syntax => new Option(syntax).hideHelp()),
  ];
}

/** `--listen-addr`, without its environment variable. */
export function listenFlag(): Option {
  return flag(
    "--listen-addr <address>",
    "address to accept clients on, repeatable",
    "127.0.0.1:23790",
  ).argParser(addressList);
}

function flag(syntax: string, description: string, byDefault: string | undefined): Option {
  return new Option(syntax, `${description} (default: ${byDefault})`);
}

/** The environment variable that goes with a flag: `GW_RETRY_DELAY` with `--retry-delay`. */
function variable(option: Option): string {
  return `GW_${option.name().replaceAll("-", "_").toUpperCase()}`;
}

/** Flags of `etcd gateway` that gw does not have yet. */
const comingLater = [
  "--discovery-srv <domain>",
  "--discovery-srv-name <name>",
  "--insecure-discovery [boolean]",
  "--trusted-ca-file <file>",
];

/**
 * Says in plain words that a flag is known and does nothing yet.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function refuseWhatComesLater(flags: StartFlags): void {
  for (const option of comingLater.map(syntax => new Option(syntax)))
    if (Object.hasOwn(flags, option.attributeName()))
      throw new GatewayError(
        "invalid-option",
        `${option.long}: DNS SRV discovery is not in this version of gw; use --endpoints`,
      );
}

function endpointList(text: string, before: readonly string[] | undefined): readonly string[] {
  parsing(parseEndpoints)(text);
  return [...(before ?? []), text];
}

function addressList(text: string, before: readonly Address[] | undefined): readonly Address[] {
  return [...(before ?? []), ...text.split(",").map(item => parsing(parseListenAddress)(item.trim()))];
}

function parseListenAddress(text: string): Address {
  try {
    return parseAddress(text, { allowPortZero: true });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError("invalid-address", `listen address ${quote(text)}: ${error.detail}`);
  }
}

function parseCount(text: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count > 0) return count;
  throw new GatewayError("invalid-option", `${quote(text)} is not a whole number from 1 to 999999999`);
}

/** Makes commander's error of ours, so that it names the flag or the variable. */
export function parsing<T>(parse: (text: string) => T): (text: string) => T {
  return text => {
    try {
      return parse(text);
    } catch (error) {
      throw error instanceof GatewayError ? new InvalidArgumentError(error.detail) : error;
    }
  };
}
