import type { RelayEnd } from "@gw/interface";
import type { Peer } from "./peer.js";
import type { Plan, SidePlan } from "./stress-plan.js";
import { Surprise } from "./waiting.js";

/** What came of a connection. */
export interface Outcome {
  readonly client: Peer;
  /** What the backend accepted; all but the last are of dials that were given up. */
  readonly servers: readonly Peer[];
  /** Whether the last of them was told to be connected. */
  readonly connected: boolean;
  readonly end: RelayEnd;
}

/** Demands that what came of a connection can come of its plan. */
export function demandOutcome(
  { up, down, ...plan }: Plan,
  { client, servers, connected, end }: Outcome,
): void {
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
