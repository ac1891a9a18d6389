import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { Address, Relay, RelayEnd } from "@gw/interface";
import { type ComplianceCase, violation } from "../suite.js";
import type { Door, Served } from "../test-support/accepted-client.js";
import { Backend } from "../test-support/backend.js";
import { Bench, loopback } from "../test-support/harness.js";
import type { Peer } from "../test-support/peer.js";
import { seededRandom } from "../test-support/random.js";
import { Surprise } from "../test-support/waitable.js";
import { sizesOf } from "./options.js";
import { type Plan, planOf, read, type SidePlan, send } from "./stress-plan.js";

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

/** What came of a connection. */
interface Outcome {
  readonly client: Peer;
  /** What the backend accepted; all but the last are of dials that were given up. */
  readonly servers: readonly Peer[];
  /** Whether the last of them was told to be connected. */
  readonly connected: boolean;
  readonly end: RelayEnd;
}

/** Demands that what came of a connection can come of its plan. */
function demandOutcome({ up, down, ...plan }: Plan, { client, servers, connected, end }: Outcome): void {
  const server = servers.at(-1);
  const { reason, bytesFromClient, bytesFromBackend } = end;
  const possible: { readonly [reason in RelayEnd["reason"]]: boolean } = {
    finished: up.ending !== "reset" && down.ending !== "reset" && !plan.closes,
    "client-failed": up.ending !== "end",
    "backend-failed": down.ending !== "end",
    "timed-out": false,
    closed: plan.closes || down.ending !== "end",
    aborted: plan.killAfterMs !== undefined || plan.cancelAfter !== undefined,
  };
  if (!possible[reason]) throw new Surprise(`it ended as ${reason}, though nobody asked for that`);
  // One that is closed before it has sent anything sees an end.
  if (reason !== "closed") demandBytes(client, down, bytesFromBackend);
  // Of a dial that was given up the backend may see an end, if it saw nothing else.
  for (const peer of servers)
    if (peer.received > 0 || (connected && peer === server)) demandBytes(peer, up, bytesFromClient);
  if (reason !== "finished") return;
  // What is left in the system's hands when a peer resets is lost.
  for (const [peer, own, other, read] of [
    [client, up, down, bytesFromBackend],
    [server, down, up, bytesFromClient],
  ] as const)
    if (read !== other.length || (own.ending === "end" && peer?.received !== other.length))
      throw new Surprise(`finished, after ${read} of ${other.length} bytes, of which ${peer}`);
}

/** Demands that `peer` got the right bytes, and no end unless it got all. */
function demandBytes(peer: Peer, sent: SidePlan, read: number): void {
  peer.demandRight();
  if (peer.received > read || read > sent.length)
    throw new Surprise(`${peer}, of ${read} bytes that were read and ${sent.length} that were sent`);
  if (peer.fate === "end" && (peer.received < sent.length || sent.ending === "reset"))
    throw new Surprise(`${peer}, of ${sent.length} bytes before a ${sent.ending}`);
}
