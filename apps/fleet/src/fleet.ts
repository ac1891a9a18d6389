import { type SimulatedClock, simulatedClock } from "./clock.js";
import { Gateway, type GatewaySettings } from "./gateway.js";
import { Cluster } from "./model/cluster.js";
import { Dns } from "./model/dns.js";
import { seededRandom } from "./random.js";
import { Recorder } from "./recorder.js";
import { network, type World } from "./world.js";

/** A fleet to simulate. */
export interface FleetSettings extends GatewaySettings {
  readonly gateways: number;
  /** The same seed gives the same simulation. */
  readonly seed: number;
  /** How long it is simulated at most, in milliseconds. */
  readonly longestMs: number;
  /** Whether gateways have jitter and start one after the other; if not, they act in step. @default true */
  readonly jitter?: boolean | undefined;
}

/** A simulated cluster, DNS and gateways. */
export interface Fleet {
  readonly clock: SimulatedClock;
  readonly cluster: Cluster;
  readonly dns: Dns;
  readonly recorder: Recorder;
  readonly gateways: readonly Gateway[];
  /** All connections of clients that there should be. */
  readonly connections: number;
}

const clusterSize = 5;
/** The TTL of the SRV records and addresses, in milliseconds. */
const ttlMs = 60_000;
/** Gateways start within this time. */
const startMs = 60_000;
/** Between two samples of how connections are spread. */
const sampleMs = 10_000;

/** A fleet whose gateways start within the first minute. */
export function createFleet(settings: FleetSettings): Fleet {
  const { seed, jitter = true } = settings;
  const clock = simulatedClock();
  const recorder = new Recorder(clock, Math.ceil(settings.longestMs / 1_000));
  const cluster = new Cluster(clock, seededRandom(seed), clusterSize);
  const dns = new Dns(clock, recorder, ttlMs);
  dns.publish(cluster.voters.map(({ host }) => host));
  const world: World = { clock, recorder, cluster, dns, network: network(seededRandom(seed + 1)) };
  const gateways = Array.from({ length: settings.gateways }, (_, number) => {
    const choice = seededRandom(seed + 2 + number * 2);
    const gateway = new Gateway(world, settings, {
      jitter: jitter ? seededRandom(seed + 3 + number * 2) : () => 0.5,
      choice,
    });
    clock.after(jitter ? startMs * choice() : 0, () => gateway.start());
    return gateway;
  });
  const sample = (): void => {
    clock.tick(sampleMs, sample);
    const spread = [...cluster.members].map(({ id, connections }) => [id, connections.size] as const);
    recorder.sample(Object.fromEntries(spread));
  };
  sample();
  return {
    clock,
    cluster,
    dns,
    recorder,
    gateways,
    connections: settings.gateways * settings.clients.length,
  };
}
