import { GatewayError, quote } from "@gw/interface";

/** Milliseconds per unit, as in Go's `time.ParseDuration`. */
const units: { readonly [unit: string]: number } = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ns: 1e-6,
};

/** What a timer of Node can wait for at most: 2³¹ − 1 ms. */
const longestMs = 2 ** 31 - 1;

/**
 * Reads a duration as Go writes it, which is what etcd's flags take: `500ms`, `1m30s`, `1.5h`.
 *
 * @returns whole milliseconds, at least 1
 * @throws {GatewayError} `invalid-option` for anything else, for zero and negative durations, for what rounds
 *   to less than 1 ms and for more than 596h
 */
export function parseDuration(text: string): number {
  const match = /^(?<sign>[+-]?)(?<size>0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:h|ms|m|s|us|µs|μs|ns))+)$/.exec(text);
  if (!match) throw invalid(text, "is not a duration such as 500ms, 5s or 1m30s");
  const { sign, size = "" } = match.groups ?? {};
  const exactMs = sumOfParts(size);
  if (sign === "-" || exactMs === 0) throw invalid(text, "is not more than zero");
  const ms = Math.round(exactMs);
  if (ms >= 1 && ms <= longestMs) return ms;
  throw invalid(text, "is not between 1ms and 596h");
}

function sumOfParts(size: string): number {
  const parts = [...size.matchAll(/([\d.]+)(\D+)/g)];
  return parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (units[unit] ?? Number.NaN), 0);
}

function invalid(text: string, problem: string): GatewayError {
  return new GatewayError("invalid-option", `${quote(text)} ${problem}`);
}

/** `ms` as a duration that is short to read, from one second on in tenths of it: `1m30s`, `2.5s`, `500ms`. */
export function formatDuration(ms: number): string {
  if (Math.round(ms) < 1_000) return `${Math.round(ms)}ms`;
  const seconds = Math.round(ms / 100) / 10;
  const [hours, minutes, rest] = [
    Math.floor(seconds / 3600),
    Math.floor((seconds % 3600) / 60),
    seconds % 60,
  ];
  const parts = [hours && `${hours}h`, minutes && `${minutes}m`, rest && `${Number(rest.toFixed(1))}s`];
  return parts.filter(Boolean).join("");
}
