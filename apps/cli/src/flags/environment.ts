import { maxName, nearest } from "./nearest.js";

/** Environment variables by name. */
export type Environment = { readonly [name: string]: string | undefined };

/** The help about variables and durations. */
export const environmentHelp = `Each flag is also an environment variable: --retry-delay is GW_RETRY_DELAY. The flag wins.
Durations are written as in Go: 500ms, 5s, 1m30s.`;

/** Every variable of gw begins with it. */
const prefix = "GW_";

/**
 * The value of a variable, without the blanks and line ends around it; undefined where it is not set or empty, as Compose
 * sets what it has no value for, or where Kubernetes has set it.
 */
export function readVariable(name: string, environment: Environment): string | undefined {
  const value = environment[name]?.trim();
  return value === "" || value === undefined || isServiceLink(name, value) ? undefined : value;
}

/**
 * Whether Kubernetes set the variable for a Service whose name begins with `gw` ("Environment variables" in its page on
 * Services; Docker's links had the same form): for a Service `gw-health` these are GW_HEALTH_SERVICE_HOST,
 * GW_HEALTH_SERVICE_PORT_CLIENT, GW_HEALTH_PORT=tcp://10.0.0.1:80, GW_HEALTH_PORT_80_TCP_ADDR and others.
 */
export function isServiceLink(name: string, value: string): boolean {
  return (
    /_SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)$/.test(name) ||
    /_PORT_\d{1,5}_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/.test(name) ||
    (name.endsWith("_PORT") && /^(?:tcp|udp|sctp):\/\//i.test(value))
  );
}

/** How many unknown variables are named. */
const maxNamed = 3;

/** Variables that begin as those of gw do, and are not among them. */
export interface UnknownVariables {
  /** The first few, with the known name that is nearest: `GW_ENDPOINT (GW_ENDPOINTS?)`. */
  readonly named: readonly string[];
  readonly count: number;
}

/** The variables that begin as those of gw do and are none of `known`; undefined where there are none. */
export function unknownVariables(
  environment: Environment,
  known: readonly string[],
): UnknownVariables | undefined {
  const unknown = Object.entries(environment)
    .filter(
      ([name, value = ""]) =>
        name.startsWith(prefix) && value.trim() !== "" && !isServiceLink(name, value.trim()),
    )
    .map(([name]) => name)
    .filter(name => !known.includes(name))
    .sort();
  if (unknown.length === 0) return undefined;
  const named = unknown.slice(0, maxNamed).map(name => {
    const short = name.length > maxName ? `${name.slice(0, maxName)}…` : name;
    const meant = nearest(name, known);
    return meant === undefined ? short : `${short} (${meant}?)`;
  });
  return { named, count: unknown.length };
}
