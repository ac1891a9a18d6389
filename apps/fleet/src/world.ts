import type { SimulatedClock } from "./clock.js";
import type { Cluster } from "./model/cluster.js";
import type { Dns } from "./model/dns.js";
import type { Random } from "./random.js";
import type { Recorder } from "./recorder.js";

/** What all gateways share. */
export interface World {
  readonly clock: SimulatedClock;
  readonly cluster: Cluster;
  readonly dns: Dns;
  readonly network: Network;
  readonly recorder: Recorder;
}

/** The network between gateways and members. */
export interface Network {
  /** One round trip, in milliseconds. */
  roundTripMs(): number;
}

/** A data centre's: 0.4 to 0.6 ms. */
export function network(random: Random): Network {
  return { roundTripMs: () => 0.4 + random() * 0.2 };
}
