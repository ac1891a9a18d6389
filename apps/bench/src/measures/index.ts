import type { Measure } from "../contract.js";
import { bulk } from "./bulk.js";
import { connectionRate } from "./connection-rate.js";
import { etcdPerf } from "./etcd-perf.js";
import { growth } from "./growth.js";
import { idle } from "./idle.js";
import { pick } from "./pick.js";
import { put } from "./put.js";
import { requestResponse } from "./request-response.js";
import { endpoints, openConnections, threads } from "./scaling.js";
import { soak } from "./soak.js";
import { startUp } from "./start-up.js";

/** All measures, in the order of a round and of the tables. */
export const measures: readonly Measure[] = [
  requestResponse,
  bulk,
  connectionRate,
  threads,
  endpoints,
  openConnections,
  idle,
  startUp,
  growth,
  put,
  pick,
  soak,
  etcdPerf,
];
