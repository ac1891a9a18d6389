import { parseArgs } from "node:util";
import { scenarios } from "./scenarios.js";

/** The command line, parsed. */
export interface Options {
  readonly gateways: number;
  readonly seed: number;
  /** Names of scenarios; undefined for all. */
  readonly scenario: readonly string[] | undefined;
  /** Simulate nothing; write tables and charts again. */
  readonly readme: boolean;
}

const defaults = { gateways: 10_000, seed: 1 } as const;

export const usage = `npm run fleet -- [options]

  --gateways <n>      how many gateways (default ${defaults.gateways})
  --scenario <names>  comma-separated: ${scenarios.map(({ name }) => name).join(", ")} (default all)
  --seed <n>          the same seed gives the same figures (default ${defaults.seed})
  --readme            write charts and tables from a finished run: apps/fleet/results/latest.json

A run of all scenarios with ${defaults.gateways.toLocaleString("en")} gateways writes apps/fleet/results and the tables of the README.
`;

/** Reads the command line; undefined for `--help`. */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      gateways: { type: "string" },
      scenario: { type: "string" },
      seed: { type: "string" },
      readme: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const scenario = values.scenario?.split(",");
  for (const name of scenario ?? [])
    if (!scenarios.some(one => one.name === name)) throw new Error(`--scenario ${name} is unknown`);
  return {
    gateways: wholeNumber("--gateways", values.gateways, defaults.gateways, 1),
    seed: wholeNumber("--seed", values.seed, defaults.seed, 0),
    scenario,
    readme: values.readme,
  };
}

/** Whether a run is the one whose figures the README has. */
export function isPublished({ gateways, seed, scenario }: Options): boolean {
  return gateways === defaults.gateways && seed === defaults.seed && !scenario;
}

function wholeNumber(option: string, text: string | undefined, otherwise: number, least: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= 1_000_000) return value;
  throw new Error(`${option} ${text} is not a whole number from ${least} to 1000000`);
}
