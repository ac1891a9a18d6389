import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { Address, Relay } from "@gw/interface";
import { Backend } from "./backend.js";
import type { Door } from "./door.js";
import type { Peer } from "./peer.js";
import { seededRandom } from "./random.js";
import { Bench, loopback } from "./relay-bench.js";
import { sizesOf } from "./relay-options.js";
import type { Served } from "./served.js";
import { demandOutcome } from "./stress-outcome.js";
import { type Plan, planOf, read, type SidePlan, send } from "./stress-plan.js";
import { type ComplianceCase, violation } from "./suite.js";

const contract = "Every byte is passed on, or the connection is reset; and its end says which.";

/** Options of {@link relayStress}. */
export interface RelayStressOptions {
  /** What each connection does follows from this; when it does it, does not. @default a random one, which is told */
  readonly seed?: number | undefined;
  /** How many connections are open at once, each followed by another. @default 200 */
  readonly connections?: number | undefined;
  /** For how long connections are opened, in seconds. @default 10 */
  readonly seconds?: number | undefined;
  /** As in `relayCompliance`. @default 20000 */
  readonly limitMs?: number | undefined;
}

/** What holds where {@link RelayStressOptions} are silent. */
export const relayStressDefaults = { connections: 200, seconds: 10 } as const;

/**
 * Connections of all kinds at once: of any size and pace, ended, half-closed, reset, killed, closed, dialled for in
 * vain. Whatever happens, bytes must be the right ones, and an end must never pass for one where bytes are missing.
 *
 * @param make the relay; what it throws fails the case
 */
export function relayStress(
  make: () => Relay | Promise<Relay>,
  options: RelayStressOptions = {},
): ComplianceCase {
  const { seed = Math.floor(Math.random() * 2 ** 31), limitMs } = options;
  const { connections = relayStressDefaults.connections, seconds = relayStressDefaults.seconds } = options;
  return {
    name: `keeps the contract under stress (seed ${seed})`,
    async run() {
      const bench = new Bench(await make(), sizesOf({ limitMs }));
      const late = performance.now() + seconds * 1_000;
      let [number, failed] = [0, false];
      try {
        const [door, nobody] = [await bench.listen(), await bench.nobody()];
        const oneAfterTheOther = async (): Promise<void> => {
          while (performance.now() < late && !failed && !bench.isBreached) {
            const own = number++;
            await live(bench, door, nobody, planOf(seededRandom(seed + own))).catch(error => {
              failed = true;
              const seen = error instanceof Error ? error.message : String(error);
              throw violation(contract, `seed ${seed}, connection ${own}: ${seen}`, error);
            });
          }
        };
        await Promise.all(Array.from({ length: connections }, oneAfterTheOther));
      } catch (error) {
        await bench.close().catch(() => {});
        throw error;
      }
      await bench.close();
    },
  };
}

/** Opens one connection, and demands that what comes of it can come of its plan. */
async function live(bench: Bench, door: Door, nobody: Address, plan: Plan): Promise<void> {
  const { up, down } = plan;
  const backend = await Backend.start(loopback, bench.sizes.limitMs);
  const doings: Promise<void>[] = [];
  const sent = new Set<SidePlan>();
  try {
    const { client, served } = await bench.accepted(door);
    const play = (peer: Peer, own: SidePlan, other: SidePlan): void => {
      peer.expect(other.stream);
      doings.push(send(peer, own).then(() => void sent.add(own)));
      doings.push(read(peer, own, () => sent.has(other) || served.end !== undefined));
    };
    backend.serve = peer => play(peer, down, up);
    play(client, up, down);
    await serve(served, backend.address, nobody, plan);
    const timer =
      plan.killAfterMs === undefined ? undefined : setTimeout(() => served.kill(), plan.killAfterMs);
    const end = await served.until(
      () => served.end,
      () => `ended() is missing (so far: ${served}); ${[client, ...backend.peers].join("; ")}`,
    );
    clearTimeout(timer);
    for (const peer of [client, ...backend.peers]) {
      peer.flow();
      await peer.getsFate("the end of its input");
    }
    await Promise.all(doings);
    demandOutcome(plan, { client, servers: backend.peers, connected: served.hasBackend, end });
  } finally {
    for (const { socket } of backend.peers) socket.destroy();
    await backend.stop();
  }
}

/** Dials, or closes, as planned. */
async function serve(served: Served, address: Address, nobody: Address, plan: Plan): Promise<void> {
  if (plan.closes) {
    served.close();
    return;
  }
  let refusals = 0;
  const dial = (): void => served.dial(refusals++ < plan.refusals ? nobody : address);
  served.react = event => {
    if (event !== "dialFailed") return;
    if (refusals <= plan.refusals) dial();
    // The backend was so quick to reset that it counts as a dial that failed.
    else served.close();
  };
  dial();
  if (plan.cancelAfter === undefined) return;
  for (let turn = 0; turn < plan.cancelAfter; turn++) await eventLoopTurn();
  if (served.pending > 0) return;
  served.cancelDial();
  dial();
}
