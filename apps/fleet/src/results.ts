import { costs } from "./model/costs.js";
import type { Recorder, Sample } from "./recorder.js";

/** The results of a run; the content of latest.json. */
export interface Results {
  readonly gateways: number;
  readonly seed: number;
  /** The commit that was simulated, with "-dirty" where the work tree differed. */
  readonly commit: string;
  readonly runs: readonly RunResult[];
}

/** What one scenario gave with one set-up. */
export interface RunResult {
  readonly scenario: string;
  readonly setUp: string;
  /** Connections of clients that there should be. */
  readonly connections: number;
  /** How long it was observed, in seconds. */
  readonly seconds: number;
  /** Requests of health checks per second at the cluster, linearizable ones included. */
  readonly requests: Rate;
  /** Linearizable reads of health checks per second at the cluster. */
  readonly deep: Rate;
  /** Cores of the whole cluster that they take, and the same if all connections have TLS. */
  readonly cores: Rate;
  readonly coresTls: Rate;
  /** Connections of clients that were established per second. */
  readonly reconnects: Rate;
  /** Connections that gateways closed although nothing was wrong with their member, per second. */
  readonly moved: Rate;
  readonly dns: Rate;
  /** How long clients were not served, in seconds; absent if all were. */
  readonly outages?: Outages;
  /** Clients for which a gateway found no endpoint. */
  readonly unserved: number;
  /** The largest difference of a member from its fair share at the end, as a part of that share. */
  readonly unfair: number;
  readonly targets: readonly Target[];
  readonly curves: Curves;
}

/** A number that differs from second to second. */
export interface Rate {
  readonly mean: number;
  /** Of the seconds. */
  readonly p99: number;
  readonly peak: number;
}

interface Outages {
  readonly count: number;
  readonly median: number;
  readonly p99: number;
  readonly longest: number;
}

/** A target, and whether it was met. */
export interface Target {
  readonly what: string;
  readonly limit: number;
  readonly value: number;
}

/** What charts show: a point for each step of so many seconds. */
export interface Curves {
  readonly stepSeconds: number;
  /** The largest of the step's seconds. */
  readonly requests: readonly number[];
  readonly reconnects: readonly number[];
  readonly dns: readonly number[];
  /** The part of all open connections that each member has, at the end of each step. */
  readonly shares: { readonly [member: string]: readonly number[] };
}

export function isMet({ limit, value }: Target): boolean {
  return value <= limit;
}

const stepSeconds = 10;

/** What was recorded from `fromMs` to `untilMs`. @param members those that should have an equal share at the end */
export function evaluate(
  recorder: Recorder,
  [fromMs, untilMs]: readonly [number, number],
  members: readonly string[],
): Omit<RunResult, "scenario" | "setUp" | "connections" | "targets"> {
  const counts = (what: Parameters<Recorder["perSecond"]>[0]): readonly number[] =>
    recorder.perSecond(what, fromMs, untilMs);
  const [status, statusConnect, deep, deepConnect] = [
    counts("status"),
    counts("statusConnect"),
    counts("deep"),
    counts("deepConnect"),
  ];
  const each = (combine: (second: number) => number): readonly number[] =>
    status.map((_, second) => combine(second));
  const at = (series: readonly number[], second: number): number => series[second] ?? 0;
  const allDeep = each(second => at(deep, second) + at(deepConnect, second));
  const connects = each(second => at(statusConnect, second) + at(deepConnect, second));
  const requests = each(second => at(status, second) + at(statusConnect, second) + at(allDeep, second));
  const cores = (connectMs: number): readonly number[] =>
    each(
      second =>
        ((at(requests, second) - at(allDeep, second)) * costs.status +
          at(allDeep, second) * costs.deep +
          at(connects, second) * connectMs) /
        1_000,
    );
  const [reconnects, dns] = [counts("connected"), counts("dns")];
  const samples = recorder.samples.filter(({ atMs }) => atMs > fromMs && atMs <= untilMs);
  const outages = summarizeOutages(recorder.outages.filter(({ atMs }) => atMs > fromMs));
  return {
    seconds: status.length,
    requests: rate(requests),
    deep: rate(allDeep),
    cores: rate(cores(costs.connect)),
    coresTls: rate(cores(costs.connectTls)),
    reconnects: rate(reconnects),
    moved: rate(counts("moved")),
    dns: rate(dns),
    ...(outages && { outages }),
    unserved: counts("unserved").reduce((sum, one) => sum + one, 0),
    unfair: unfairnessOf(samples.at(-1), members),
    curves: {
      stepSeconds,
      requests: peaks(requests),
      reconnects: peaks(reconnects),
      dns: peaks(dns),
      shares: sharesOf(samples),
    },
  };
}

function rate(series: readonly number[]): Rate {
  const sorted = series.toSorted((one, other) => one - other);
  const mean = series.reduce((sum, one) => sum + one, 0) / Math.max(1, series.length);
  return { mean: rounded(mean), p99: rounded(quantile(sorted, 0.99)), peak: rounded(sorted.at(-1) ?? 0) };
}

function summarizeOutages(outages: readonly { readonly ms: number }[]): Outages | undefined {
  if (outages.length === 0) return undefined;
  const sorted = outages.map(({ ms }) => ms / 1_000).sort((one, other) => one - other);
  return {
    count: sorted.length,
    median: rounded(quantile(sorted, 0.5)),
    p99: rounded(quantile(sorted, 0.99)),
    longest: rounded(sorted.at(-1) ?? 0),
  };
}

/** The least number that is not less than the part `part` of `sorted`. */
function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
}

/** The largest difference from an equal share, as a part of it. */
function unfairnessOf(sample: Sample | undefined, members: readonly string[]): number {
  if (!sample) return 0;
  const all = Object.values(sample.connections).reduce((sum, one) => sum + one, 0);
  const fair = all / members.length;
  if (fair === 0) return 0;
  return rounded(Math.max(...members.map(id => Math.abs((sample.connections[id] ?? 0) - fair) / fair)));
}

/** The largest of each step. */
function peaks(series: readonly number[]): readonly number[] {
  const steps = Math.ceil(series.length / stepSeconds);
  return Array.from({ length: steps }, (_, step) =>
    Math.max(...series.slice(step * stepSeconds, (step + 1) * stepSeconds)),
  );
}

function sharesOf(samples: readonly Sample[]): Curves["shares"] {
  const members = Object.keys(samples.at(-1)?.connections ?? {});
  const totals = samples.map(({ connections }) =>
    Object.values(connections).reduce((sum, one) => sum + one, 0),
  );
  return Object.fromEntries(
    members.map(id => [
      id,
      samples.map(({ connections }, index) =>
        rounded((connections[id] ?? 0) / Math.max(1, totals[index] ?? 1)),
      ),
    ]),
  );
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
