import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { Address, Relay, RelayEnd } from "@gw/interface";
import { type ComplianceCase, violation } from "../suite.js";
import type { AcceptedClient, TestListener } from "../test-support/accepted-client.js";
import { Backend } from "../test-support/backend.js";
import { Harness, loopback } from "../test-support/harness.js";
import type { Peer } from "../test-support/peer.js";
import { seededRandom } from "../test-support/random.js";
import { Mismatch } from "../test-support/waitable.js";
import { sizesOf } from "./options.js";
import { type Plan, randomPlan, read, type SidePlan, send } from "./stress-plan.js";

const contract = "Every byte is passed on, or the connection is reset; and its end gives the reason.";

/** Options of {@link relayStress}. */
export interface RelayStressOptions {
  /** Determines what each connection does, but not when. @default a random one, which the name of the case gives */
  readonly seed?: number | undefined;
  /** Connections that are open at once; each is followed by another. @default 200 */
  readonly connections?: number | undefined;
  /** How long connections are opened, in seconds. @default 10 */
  readonly seconds?: number | undefined;
  /** As in `relayCompliance`. @default 20000 */
  readonly limitMs?: number | undefined;
}

/** Defaults for {@link RelayStressOptions}. */
export const relayStressDefaults = { connections: 200, seconds: 10 } as const;

/**
 * Connections of all kinds at once: of any size and pace, ended, half-closed, reset, aborted, closed, with dials that
 * fail or are cancelled. Bytes must always be the right ones, and no end of input may hide that bytes are missing.
 *
 * @param make returns the relay; what it throws fails the case
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
      const harness = new Harness(await make(), sizesOf({ limitMs }));
      const late = performance.now() + seconds * 1_000;
      let [number, failed] = [0, false];
      try {
        const [listener, refusing] = [await harness.listen(), await harness.refusingAddress()];
        const keepConnecting = async (): Promise<void> => {
          while (performance.now() < late && !failed && !harness.hasViolation) {
            const own = number++;
            await runConnection(harness, listener, refusing, randomPlan(seededRandom(seed + own))).catch(
              error => {
                failed = true;
                const seen = error instanceof Error ? error.message : String(error);
                throw violation(contract, `seed ${seed}, connection ${own}: ${seen}`, error);
              },
            );
          }
        };
        await Promise.all(Array.from({ length: connections }, keepConnecting));
      } catch (error) {
        await harness.close().catch(() => {});
        throw error;
      }
      await harness.close();
    },
  };
}

/** Opens one connection, and demands an outcome that its plan allows. */
async function runConnection(
  harness: Harness,
  listener: TestListener,
  refusing: Address,
  plan: Plan,
): Promise<void> {
  const { up, down } = plan;
  const backend = await Backend.start(loopback, harness.sizes.limitMs);
  const running: Promise<void>[] = [];
  const sent = new Set<SidePlan>();
  try {
    const { client, accepted } = await harness.accept(listener);
    const play = (peer: Peer, own: SidePlan, other: SidePlan): void => {
      peer.expect(other.stream);
      running.push(send(peer, own).then(() => void sent.add(own)));
      running.push(read(peer, own, () => sent.has(other) || accepted.end !== undefined));
    };
    backend.onConnection = peer => play(peer, down, up);
    play(client, up, down);
    await dialOrClose(accepted, backend.address, refusing, plan);
    const timer =
      plan.abortAfterMs === undefined ? undefined : setTimeout(() => accepted.abort(), plan.abortAfterMs);
    const end = await accepted.until(
      () => accepted.end,
      () => `ended() is missing (so far: ${accepted}); ${[client, ...backend.peers].join("; ")}`,
    );
    clearTimeout(timer);
    for (const peer of [client, ...backend.peers]) {
      peer.resume();
      await peer.getsInputEnd("the end of its input");
    }
    await Promise.all(running);
    demandOutcome(plan, { client, servers: backend.peers, connected: accepted.hasBackend, end });
  } finally {
    for (const { socket } of backend.peers) socket.destroy();
    await backend.stop();
  }
}

/** Dials, or closes, as planned. */
async function dialOrClose(
  accepted: AcceptedClient,
  address: Address,
  refusing: Address,
  plan: Plan,
): Promise<void> {
  if (plan.closes) {
    accepted.close();
    return;
  }
  let refusals = 0;
  const dial = (): void => accepted.dial(refusals++ < plan.refusals ? refusing : address);
  accepted.onEvent = event => {
    if (event !== "dialFailed") return;
    if (refusals <= plan.refusals) dial();
    // The backend reset so early that the dial failed.
    else accepted.close();
  };
  dial();
  if (plan.cancelAfter === undefined) return;
  for (let turn = 0; turn < plan.cancelAfter; turn++) await eventLoopTurn();
  if (accepted.pending > 0) return;
  accepted.cancelDial();
  dial();
}

/** How a connection ended. */
interface Outcome {
  readonly client: Peer;
  /** What the backend accepted; all but the last are of cancelled dials. */
  readonly servers: readonly Peer[];
  /** Whether the relay reported the last of them as connected. */
  readonly connected: boolean;
  readonly end: RelayEnd;
}

/** Demands that the plan allows the outcome. */
function demandOutcome({ up, down, ...plan }: Plan, { client, servers, connected, end }: Outcome): void {
  const server = servers.at(-1);
  const { reason, bytesFromClient, bytesFromBackend } = end;
  const possible: { readonly [reason in RelayEnd["reason"]]: boolean } = {
    finished: up.ending !== "reset" && down.ending !== "reset" && !plan.closes,
    "client-failed": up.ending !== "end",
    "backend-failed": down.ending !== "end",
    "timed-out": false,
    closed: plan.closes || down.ending !== "end",
    aborted: plan.abortAfterMs !== undefined || plan.cancelAfter !== undefined,
  };
  if (!possible[reason]) throw new Mismatch(`it ended as ${reason}, which the plan does not allow`);
  // A client that is closed before it has sent anything sees an end.
  if (reason !== "closed") demandBytes(client, down, bytesFromBackend);
  // The backend of a cancelled dial may see an end if it received nothing.
  for (const peer of servers)
    if (peer.received > 0 || (connected && peer === server)) demandBytes(peer, up, bytesFromClient);
  if (reason !== "finished") return;
  // What the kernel still buffers when a peer resets is lost.
  for (const [peer, own, other, read] of [
    [client, up, down, bytesFromBackend],
    [server, down, up, bytesFromClient],
  ] as const)
    if (read !== other.length || (own.ending === "end" && peer?.received !== other.length))
      throw new Mismatch(`finished, after ${read} of ${other.length} bytes, of which ${peer}`);
}

/** Demands that `peer` got the right bytes, and an end only after all of them. */
function demandBytes(peer: Peer, sent: SidePlan, read: number): void {
  peer.demandExpectedBytes();
  if (peer.received > read || read > sent.length)
    throw new Mismatch(`${peer}, of ${read} bytes that were read and ${sent.length} that were sent`);
  if (peer.inputEnd === "end" && (peer.received < sent.length || sent.ending === "reset"))
    throw new Mismatch(`${peer}, of ${sent.length} bytes before a ${sent.ending}`);
}
