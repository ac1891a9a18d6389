import { parseArgs } from "node:util";
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
  /** The folder for JSON and charts. */
  readonly output: string | undefined;
  /** Measure nothing; write tables and charts again. */
  readonly readme: boolean;
}

export const usage = `npm run bench -- [options]

  --only <names>      measures, comma-separated: rr, bulk, connect, idle, start, growth, pick, put, etcd-perf
  --subjects <names>  comma-separated: gw-native, gw-js, gw-2-threads, gw-default, etcd-gateway, haproxy,
                      nginx, node-tcp-proxy, pipe, direct
  --rounds <n>        samples of each figure (default 5)
  --seconds <n>       measured time of a sample (default 1)
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
  const scale = quick ? quickScale : fullScale(seconds);
  return {
    rounds,
    seconds: scale.measureMs / 1000,
    quick,
    scale,
    only: values.only?.split(","),
    also: values["etcd-perf"] ? ["etcd-perf"] : [],
    subjects: values.subjects?.split(","),
    output: values.output,
    readme: values.readme,
  };
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (value > 0 && value < 1000) return value;
  throw new Error(`${option} ${text} is not a number between 0 and 1000`);
}
