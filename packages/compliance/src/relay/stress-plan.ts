import { setImmediate as eventLoopTurn, setTimeout as pause } from "node:timers/promises";
import type { Peer } from "../test-support/peer.js";
import { ByteStream } from "../test-support/random.js";

/** What one side of a connection does. */
export interface SidePlan {
  readonly stream: ByteStream;
  /** Bytes that it sends. */
  readonly length: number;
  /** What it does then. */
  readonly ending: "end" | "reset" | "end and reset";
  /** Small pieces that it sends, with pauses, before the rest. */
  readonly pieces: number;
  readonly reading: "fast" | "slow" | "late";
  readonly random: () => number;
}

/** What is done with one connection. */
export interface Plan {
  readonly up: SidePlan;
  readonly down: SidePlan;
  /** Dials that are refused before the one that succeeds. */
  readonly refusals: number;
  /** Turns of the event loop after which the first dial is cancelled. */
  readonly cancelAfter: number | undefined;
  /** Whether the client is closed instead of dialled for. */
  readonly closes: boolean;
  /** Time after which the client is aborted. */
  readonly abortAfterMs: number | undefined;
}

/** A random plan. */
export function randomPlan(random: () => number): Plan {
  const maybe = <Value>(odds: number, value: Value): Value | undefined =>
    random() < odds ? value : undefined;
  return {
    up: randomSidePlan(random),
    down: randomSidePlan(random),
    refusals: maybe(0.1, 1) ?? 0,
    cancelAfter: maybe(0.1, Math.floor(random() * 5)),
    closes: random() < 0.02,
    abortAfterMs: maybe(0.1, random() * 20),
  };
}

function randomSidePlan(random: () => number): SidePlan {
  const [ending, reading] = [random(), random()];
  return {
    stream: new ByteStream(Math.floor(random() * 2 ** 31)),
    length: randomLength(random),
    ending: ending < 0.8 ? "end" : ending < 0.9 ? "reset" : "end and reset",
    pieces: random() < 0.3 ? Math.floor(random() * 20) : 0,
    reading: reading < 0.7 ? "fast" : reading < 0.85 ? "slow" : "late",
    random,
  };
}

/** Mostly short; sometimes 0, and sometimes more than the kernel buffers for a late reader. */
function randomLength(random: () => number): number {
  const kind = random();
  if (kind < 0.1) return 0;
  return Math.floor(kind < 0.94 ? 2 ** (random() * 20) : random() * 12 * 2 ** 20);
}

/** Sends and ends as planned, or until the connection is lost. */
export async function send(peer: Peer, { stream, length, ending, pieces, random }: SidePlan): Promise<void> {
  let sent = 0;
  for (let piece = 0; piece < pieces && sent < length && peer.socket.writable; piece++) {
    const chunk = stream.at(sent, Math.min(Math.ceil(random() * 5_000), length - sent));
    await peer.send(chunk);
    sent += chunk.length;
    await (random() < 0.5 ? eventLoopTurn() : pause(random() * 3));
  }
  await peer.sendStream(stream, length, sent);
  if (ending !== "reset") peer.end();
  if (ending === "end and reset") await pause(random() * 10);
  if (ending !== "end") await peer.reset();
}

/**
 * Reads as planned.
 *
 * @param isSent whether the other side has sent everything; it has not while it is held back
 */
export async function read(peer: Peer, plan: SidePlan, isSent: () => boolean): Promise<void> {
  const { reading, random } = plan;
  if (reading === "late") {
    peer.pause();
    const late = performance.now() + random() * 2_000;
    while (!isSent() && performance.now() < late) await pause(10);
  }
  if (reading === "slow") {
    const chunks = Math.floor(random() * 50);
    for (let count = 0; count < chunks && peer.inputEnd === undefined; count++) {
      peer.readOnce();
      await pause(random() * 2);
    }
  }
  peer.resume();
}
