import { checkDefaults, probeDefaults, risingDefaults } from "@gw/health/defaults";
import { GatewayError } from "@gw/interface";
import type { Option } from "commander";
import { formatDuration } from "./duration.js";
import { durationFlag, flag, number, text } from "./flag.js";

/** What `--health-check` takes; the first is the default. */
export const healthChoices = ["auto", "etcd", "http", "tls", "tcp", "off"] as const;

/** What the user said about how endpoints are looked at; undefined where nothing was said. */
export interface HealthFlags {
  readonly healthCheck?: (typeof healthChoices)[number];
  readonly healthInterval?: number;
  readonly healthTimeout?: number;
  readonly healthRise?: number;
  readonly healthFall?: number;
  readonly healthPath?: string;
  readonly healthPort?: number;
  readonly healthUrl?: string;
}

/** The flags that say how one look at an endpoint is made. */
export function probeFlags(): Option[] {
  return [
    flag(
      "--health-check <how>",
      "how to find out whether endpoints can serve; auto: as etcd where it is spoken, else by a connection",
      healthChoices[0],
    ).choices(healthChoices),
    durationFlag("--health-timeout", "how long one look may take", formatDuration(probeDefaults.timeoutMs)),
    flag("--health-path <path>", "what to ask for, in place of /readyz and /health").argParser(text),
    flag(
      "--health-port <number>",
      "port to ask at where that is not the endpoint's own, as where etcd tells its metrics",
    ).argParser(number(65_535)),
    flag("--health-url <url>", "URL to ask at, with {host} or {port} for those of the endpoint").argParser(
      text,
    ),
  ];
}

/** The flags of health checks. */
export function healthFlags(): Option[] {
  const [how, ...rest] = probeFlags();
  return [
    ...(how ? [how] : []),
    durationFlag(
      "--health-interval",
      "how often to look at the endpoint in use and the next best; the others less often",
      formatDuration(checkDefaults.intervalMs),
    ),
    flag(
      "--health-rise <number>",
      "good looks in a row after which an endpoint that was set aside is used again",
      String(risingDefaults.rise),
    ).argParser(number(100)),
    flag(
      "--health-fall <number>",
      "bad looks in a row after which an endpoint is set aside",
      String(checkDefaults.fall),
    ).argParser(number(100)),
    ...rest,
  ];
}

/**
 * Flags that do nothing with the others are slips.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function refuseHealthContradictions(flags: HealthFlags): void {
  const { healthCheck: how = healthChoices[0] } = flags;
  const idle = (given: unknown, name: string): void => {
    if (given !== undefined) throw invalid(`${name} does nothing with --health-check ${how}`);
  };
  if (how === "off") {
    idle(flags.healthInterval, "--health-interval");
    idle(flags.healthTimeout, "--health-timeout");
    idle(flags.healthRise, "--health-rise");
    idle(flags.healthFall, "--health-fall");
  }
  if (how === "off" || how === "tcp" || how === "tls") {
    idle(flags.healthPath, "--health-path");
    idle(flags.healthPort, "--health-port");
    idle(flags.healthUrl, "--health-url");
  }
  if (flags.healthPort !== undefined && flags.healthUrl !== undefined)
    throw invalid("--health-port and --health-url exclude each other");
}

function invalid(detail: string): GatewayError {
  return new GatewayError("invalid-option", detail);
}
