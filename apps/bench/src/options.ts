import { parseArgs } from "node:util";
import { descriptorLimit } from "./machine.js";
import { fullScale, quickScale, type Scale } from "./scale.js";

/** The command line, parsed. */
export interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly quick: boolean;
  readonly scale: Scale;
  /** Names of measures; undefined for all but those on request. */
  readonly only: readonly string[] | undefined;
  /** Measures on request that are added. */
  readonly also: readonly string[];
  /** Names of subjects; undefined for all. */
  readonly subjects: readonly string[] | undefined;
  /** Which cases, by names such as "endpoints: 10 endpoints"; undefined for all. */
  readonly rows: RegExp | undefined;
  /** The folder for JSON and charts. */
  readonly output: string | undefined;
  /** Measure nothing; write tables and charts again. */
  readonly readme: boolean;
}

export const usage = `npm run bench -- [options]

  --only <names>      measures, comma-separated: rr, bulk, connect, threads, endpoints, open, idle, start, growth,
                      put, pick, soak, etcd-perf
  --subjects <names>  comma-separated: gw-native, gw-1-thread, gw-js, gw-default, etcd-gateway, haproxy, haproxy-3.0,
                      nginx, nginx-1.26, node-tcp-proxy, pipe, direct; only when named: gw-admin, gw-access-log
  --rows <pattern>    cases of these measures: a regular expression for names such as "endpoints: 10 endpoints"
  --rounds <n>        samples of each figure (default 5)
  --seconds <n>       measured time of a sample (default 1)
  --soak <n>          connections of the measure soak (default 200,000; 3600000 are an hour of 1,000 a second)
  --quick             one round of short samples, to see that everything works; no figures to quote
  --etcd-perf         with \`etcdctl check perf\`, which takes a minute for each subject
  --output <folder>   write latest.json and the charts there; a full run writes to apps/bench/results, and
                      the tables into the READMEs
  --readme            write charts and tables from a finished run: apps/bench/results/latest.json
`;

/** Reads the command line; undefined for `--help`. */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      subjects: { type: "string" },
      rows: { type: "string" },
      soak: { type: "string", default: "200000" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      quick: { type: "boolean", default: false },
      "etcd-perf": { type: "boolean", default: false },
      output: { type: "string" },
      readme: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const { quick } = values;
  const seconds = positive("--seconds", values.seconds ?? "1");
  const rounds = Math.ceil(positive("--rounds", values.rounds ?? (quick ? "1" : "5")));
  const soak = Math.ceil(positive("--soak", values.soak, 1e9));
  const scale = quick ? quickScale : fullScale({ seconds, soak, descriptorLimit: descriptorLimit() });
  return {
    rounds,
    seconds: scale.measureMs / 1000,
    quick,
    scale,
    only: values.only?.split(","),
    also: values["etcd-perf"] ? ["etcd-perf"] : [],
    subjects: values.subjects?.split(","),
    rows: values.rows === undefined ? undefined : new RegExp(values.rows),
    output: values.output,
    readme: values.readme,
  };
}

function positive(option: string, text: string, limit = 1000): number {
  const value = Number(text);
  if (value > 0 && value < limit) return value;
  throw new Error(`${option} ${text} is not a number between 0 and ${limit}`);
}
