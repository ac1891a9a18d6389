import { availableParallelism } from "node:os";
import type { Measure } from "../contract.js";
import type { Scale } from "../scale.js";
import { etcdGateway } from "../subjects/etcd-gateway.js";
import { gwDefault, gwJs, gwNative } from "../subjects/gw.js";
import { haproxies } from "../subjects/haproxy.js";
import { type Circumstances, connect, connectionFigures, lanes } from "./connection-rate.js";

const cores = availableParallelism();
const same = `${lanes} lanes that open and close connections, as in \`connect\``;
const proxies = [gwNative.name, gwJs.name, gwDefault.name, etcdGateway.name, ...haproxies];

/** What further threads bring. */
export const threads: Measure = scaling(
  "threads",
  "connections by threads",
  `${same}, with this many threads: \`--relay-threads\` of gw, \`nbthread\` of HAProxy. More than ${cores} could not be tried on ${cores} ${cores === 1 ? "core" : "cores"}, which load program and backend share.`,
  [gwNative.name, gwDefault.name, ...haproxies],
  scale => scale.threads.map(threads => [plural(threads, "thread"), { threads }]),
);

/** How cost grows with the number of endpoints. */
export const endpoints: Measure = scaling(
  "endpoints",
  "connections by endpoints",
  `${same}, to this many endpoints in turn: \`--selector=round-robin --health-check=off\` of gw, as many \`server\` lines of HAProxy without checks.`,
  proxies,
  scale => scale.endpoints.map(endpoints => [plural(endpoints, "endpoint"), { endpoints }]),
);

/** A proxy has some 28,000 local ports for each endpoint, half of which Linux looks for only when the other half is in use. */
const openEndpoints = 4;

/** How cost grows with the number of connections that are open already. */
export const openConnections: Measure = scaling(
  "open",
  "connections by open connections",
  `${same}, while this many idle connections are open: as many as the descriptor limit allows, at most 10,000. They go to ${openEndpoints} endpoints in turn, as in \`endpoints\`: towards one alone the search for a free local port would be what is measured.`,
  proxies,
  scale =>
    scale.connections.map(open => [`${open.toLocaleString("en")} open`, { open, endpoints: openEndpoints }]),
);

/** A measure of connections in which the circumstances grow from case to case. */
function scaling(
  name: string,
  title: string,
  how: string,
  among: readonly string[],
  casesOf: (scale: Scale) => readonly (readonly [title: string, circumstances: Circumstances])[],
): Measure {
  return {
    name,
    title,
    how,
    figures: [
      ...connectionFigures.filter(({ key }) => key !== "p50"),
      { key: "memory", title: "proxy memory", unit: "MB", better: "less" },
    ],
    among,
    references: haproxies,
    linePerCase: true,
    maxRounds: 3,
    async run(subject, bench) {
      for (const [title, circumstances] of casesOf(bench.scale))
        await bench.sample(title, () => connect(subject, bench, circumstances));
    },
  };
}

function plural(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
