import { existsSync, readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import type { Connection, Harness, RelayCase } from "../test-support/harness.js";
import { ByteStream } from "../test-support/random.js";
import { Mismatch } from "../test-support/waitable.js";

/** On a machine that is not held up; on others five times as long. */
const shortMs = 1_000;
/** Between two bytes of traffic, in milliseconds: often enough on a slow machine as well. */
export const paceMs = 50;
/** The event loop of any machine may be held up for less. */
const leastDelayMs = 50;
const nanosecondsPerMs = 1e6;

/**
 * The timeouts. No case sleeps to see that nothing happens: a connection that must stay open is compared with another
 * one of the same listener that must time out.
 */
export const timeoutCases: readonly RelayCase[] = [
  {
    name: "times out idle connections, and not those with traffic in either direction",
    contract: "A connection without a byte in either direction for idleTimeoutMs is reset.",
    check: withRetryOnSlowMachine(shortMs, async (harness, timeoutMs) => {
      const listener = await harness.listen({ settings: { idleTimeoutMs: timeoutMs } });
      const backend = await harness.backend();
      const [up, down] = [await harness.connect(listener, backend), await harness.connect(listener, backend)];
      const traffic = async (): Promise<void> => {
        up.client.send(".");
        down.server.send(".");
        await Promise.all([up.server.gets("."), down.client.gets(".")]);
      };
      for (let count = 0; count < 2; count++) {
        await traffic();
        const idle = await harness.connect(listener, backend);
        await idle.client.send("once");
        await expectTimeout(timeoutMs, idle, traffic);
        await Promise.all([idle.client.getsReset(), idle.server.getsReset()]);
      }
      await traffic();
      await expectTimeout(timeoutMs, up);
      await expectTimeout(timeoutMs, down);
    }),
  },
  {
    name: "times out silent connections of which one side has ended, and no others",
    contract:
      "A connection of which one side has ended is reset when halfCloseTimeoutMs pass without a byte.",
    check: withRetryOnSlowMachine(shortMs, async (harness, timeoutMs) => {
      const listener = await harness.listen({ settings: { halfCloseTimeoutMs: timeoutMs } });
      const backend = await harness.backend();
      const open = await harness.connect(listener, backend);
      const [answered, fed] = [
        await harness.connect(listener, backend),
        await harness.connect(listener, backend),
      ];
      answered.client.end("question");
      await answered.server.getsEnd("question");
      fed.server.end("greeting");
      await fed.client.getsEnd("greeting");
      const traffic = async (): Promise<void> => {
        answered.server.send(".");
        fed.client.send(".");
        await Promise.all([answered.client.gets("."), fed.server.gets(".")]);
      };
      await traffic();
      const silent = [
        await harness.connect(listener, backend),
        await harness.connect(listener, backend),
      ] as const;
      silent[0].client.end("question");
      silent[1].server.end("greeting");
      await Promise.all([expectTimeout(timeoutMs, silent[0], traffic), expectTimeout(timeoutMs, silent[1])]);
      await Promise.all([silent[0].client.getsReset(), silent[1].server.getsReset()]);
      await Promise.all([silent[0].server.noticesReset(), silent[1].client.noticesReset()]);
      await traffic();
      await expectTimeout(timeoutMs, answered);
      open.client.send("open");
      await open.server.gets("open");
    }),
  },
  {
    name: "times out readers that take no bytes, and not those that take some now and then",
    contract: "A connection of which one side takes none of its pending bytes for writeTimeoutMs is reset.",
    check: withRetryOnSlowMachine(shortMs, async (harness, timeoutMs) => {
      const listener = await harness.listen({ settings: { writeTimeoutMs: timeoutMs } });
      const backend = await harness.backend();
      const quiet = await harness.connect(listener, backend);
      const slow = await harness.connect(listener, backend);
      slow.client.pause();
      const stream = new ByteStream(8);
      void slow.server.sendStream(stream, Number.MAX_SAFE_INTEGER);
      const readOnceMore = async (): Promise<void> => {
        const before = slow.accepted.client.bytesFromBackend;
        // The relay reads again when it could write, that is, when the client took bytes.
        while (slow.accepted.client.bytesFromBackend === before && !slow.accepted.end) {
          slow.client.readOnce();
          await pause(0);
        }
        if (slow.accepted.end) throw new Mismatch(`a slow reader was timed out (${slow.accepted})`);
      };
      for (const dead of ["client", "backend"] as const) {
        const connection = await harness.connect(listener, backend);
        const [reader, sender] =
          dead === "client" ? [connection.client, connection.server] : [connection.server, connection.client];
        reader.pause();
        void sender.sendStream(stream, Number.MAX_SAFE_INTEGER);
        await expectTimeout(timeoutMs, connection, readOnceMore);
        await sender.getsReset();
        reader.resume();
        await reader.getsReset();
      }
      await expectTimeout(timeoutMs, slow);
      quiet.client.send("quiet");
      await quiet.server.gets("quiet");
    }),
  },
];

/** Something came later than it should. On a busy machine that may not be the fault of the relay, or of the case. */
export class Late extends Mismatch {}

/**
 * Runs `check` with a timeout of `ms`. If something was {@link Late}, or if it fails and the event loop was held up for
 * so long that traffic may have been late, runs it once more with five times as much.
 */
export function withRetryOnSlowMachine(
  ms: number,
  check: (harness: Harness, timeoutMs: number) => Promise<void>,
): RelayCase["check"] {
  return async harness => {
    const delay = monitorEventLoopDelay({ resolution: 10 });
    delay.enable();
    try {
      await check(harness, ms);
    } catch (error) {
      const isHeldUp = delay.max >= Math.max(ms / 10, leastDelayMs) * nanosecondsPerMs;
      if (!isHeldUp && !(error instanceof Late)) throw error;
      await check(harness, 5 * ms);
    } finally {
      delay.disable();
    }
  };
}

/** Demands that the connection times out, and not too early. Repeats `meanwhile` until it does. */
async function expectTimeout(
  timeoutMs: number,
  { accepted }: Connection,
  meanwhile?: () => Promise<void>,
): Promise<void> {
  const since = performance.now();
  let over = false;
  const ended = accepted
    .ends("timed-out", "timed-out")
    .then(() => performance.now() - since)
    .finally(() => {
      over = true;
    });
  ended.catch(() => {});
  while (meanwhile && !over) {
    await meanwhile();
    await pause(paceMs);
  }
  const tookMs = await ended;
  // Timers count in whole milliseconds, and a byte may have been under way when the time began.
  if (meanwhile && tookMs < timeoutMs * 0.9)
    throw new Mismatch(`it was timed out after ${Math.round(tookMs)} ms`);
}

const tcpTable = "/proc/net/tcp";
const keepAliveDelayMs = 30_000;
/** A relay sets the option within this time, in milliseconds: a short connection does not need it. */
const keepAliveSetMs = 3_000;
const probing =
  "After keepAliveDelayMs without traffic TCP keepalive probes start, towards both sides; 0 sends none.";

/** TCP keepalive, which the kernel does. */
export const keepAliveCases: readonly RelayCase[] = [
  {
    name: "enables TCP keepalive towards both sides of a connection",
    contract: probing,
    possible: existsSync(tcpTable),
    async check(harness) {
      const connection = await harness.connection({ keepAliveDelayMs });
      const wrong = () =>
        timersOf(connection).find(
          ([, timer]) => timer?.kind !== keepAliveTimer || timer.inMs > keepAliveDelayMs,
        );
      // On a busy machine the table of all sockets is long: to read it leaves the relay no time, and does not count.
      for (let waitedMs = 0; wrong() && waitedMs < keepAliveSetMs; waitedMs += paceMs) await pause(paceMs);
      const [side, timer] = wrong() ?? [];
      if (side) throw new Mismatch(`towards the ${side} ${timer ? describeTimer(timer) : "no socket"}`);
    },
  },
  {
    name: "enables no TCP keepalive where none is configured",
    contract: probing,
    possible: existsSync(tcpTable),
    async check(harness) {
      for (const [side, timer] of timersOf(await harness.connection()))
        if (timer?.kind === keepAliveTimer) throw new Mismatch(`towards the ${side} ${describeTimer(timer)}`);
    },
  },
];

/** The timer of the kernel that is pending for a socket. */
interface Timer {
  readonly kind: number;
  readonly inMs: number;
}

const keepAliveTimer = 2;

function describeTimer({ kind, inMs }: Timer): string {
  return kind === 0 ? "no timer" : `timer ${kind} of ${tcpTable}, in ${inMs} ms`;
}

/** The timers of the relay's sockets: those whose peers are the sockets of the case. */
function timersOf({ client, server }: Connection): readonly (readonly [string, Timer | undefined])[] {
  const sockets = readFileSync(tcpTable, "utf8").split("\n");
  return (
    [
      ["client", client],
      ["backend", server],
    ] as const
  ).map(([side, peer]) => {
    const addresses = `${hex(peer.socket.remotePort)} 0100007F:${hex(peer.port)} `;
    const line = sockets.find(one => one.includes(addresses));
    // The field after the colon is in hundredths of a second.
    const [, kind = "", when = ""] = /(\w\w):(\w{8}) \w{8} +\d+ /.exec(line ?? "") ?? [];
    const timer = { kind: Number.parseInt(kind, 16), inMs: Number.parseInt(when, 16) * 10 };
    return [side, line === undefined ? undefined : timer] as const;
  });
}

function hex(port = 0): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}
