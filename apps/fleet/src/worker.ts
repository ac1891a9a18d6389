import { parentPort, workerData } from "node:worker_threads";
import { scenarios } from "./scenarios.js";
import { type Scale, simulate } from "./simulate.js";

/** What a worker simulates; it posts the `RunResult`. */
export interface Work extends Scale {
  /** The names of both. */
  readonly scenario: string;
  readonly setUp: string;
}

const { scenario: name, setUp: setUpName, ...scale } = workerData as Work;
const scenario = scenarios.find(one => one.name === name);
const setUp = scenario?.setUps.find(one => one.name === setUpName);
if (!scenario || !setUp) throw new Error(`there is no scenario ${name} with ${setUpName}`);
parentPort?.postMessage(await simulate(scenario, setUp, scale));
