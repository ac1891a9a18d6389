import { existsSync, readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import type { Bench, Connection, RelayCase } from "../test-support/harness.js";
import { ByteStream } from "../test-support/random.js";
import { Surprise } from "../test-support/waitable.js";

/** On a machine that goes on without standing still; otherwise longer. */
const shortMs = 1_000;
/** Between two signs of life: often enough on a slow machine as well. */
const paceMs = 50;
const nanosecondsPerMs = 1e6;

/**
 * The timeouts. None of these cases waits to see that nothing happens: what must live on does so until another
 * connection of the same listener, which must not, has been timed out.
 */
export const timeoutCases: readonly RelayCase[] = [
  {
    name: "times out idle connections, and not those with traffic in either direction",
    contract: "A connection without a byte in either direction for idleTimeoutMs is reset.",
    check: withTime(async (bench, timeoutMs) => {
      const door = await bench.listen({ settings: { idleTimeoutMs: timeoutMs } });
      const backend = await bench.backend();
      const [up, down] = [await bench.connected(door, backend), await bench.connected(door, backend)];
      const traffic = async (): Promise<void> => {
        up.client.send(".");
        down.server.send(".");
        await Promise.all([up.server.gets("."), down.client.gets(".")]);
      };
      for (let count = 0; count < 2; count++) {
        await traffic();
        const idle = await bench.connected(door, backend);
        await idle.client.send("once");
        await timesOut(timeoutMs, idle, traffic);
        await Promise.all([idle.client.getsReset(), idle.server.getsReset()]);
      }
      await traffic();
      await timesOut(timeoutMs, up);
      await timesOut(timeoutMs, down);
    }),
  },
  {
    name: "times out silent connections of which one side has ended, and no others",
    contract:
      "A connection of which one side has ended is reset when halfCloseTimeoutMs pass without a byte.",
    check: withTime(async (bench, timeoutMs) => {
      const door = await bench.listen({ settings: { halfCloseTimeoutMs: timeoutMs } });
      const backend = await bench.backend();
      const open = await bench.connected(door, backend);
      const [answered, fed] = [await bench.connected(door, backend), await bench.connected(door, backend)];
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
      const silent = [await bench.connected(door, backend), await bench.connected(door, backend)] as const;
      silent[0].client.end("question");
      silent[1].server.end("greeting");
      await Promise.all([timesOut(timeoutMs, silent[0], traffic), timesOut(timeoutMs, silent[1])]);
      await Promise.all([silent[0].client.getsReset(), silent[1].server.getsReset()]);
      await Promise.all([silent[0].server.noticesReset(), silent[1].client.noticesReset()]);
      await traffic();
      await timesOut(timeoutMs, answered);
      open.client.send("open");
      await open.server.gets("open");
    }),
  },
  {
    name: "times out readers that take nothing, and not those that take a little now and then",
    contract:
      "A connection of which one side takes none of the bytes that wait for it for writeTimeoutMs is reset.",
    check: withTime(async (bench, timeoutMs) => {
      const door = await bench.listen({ settings: { writeTimeoutMs: timeoutMs } });
      const backend = await bench.backend();
      const quiet = await bench.connected(door, backend);
      const slow = await bench.connected(door, backend);
      slow.client.hold();
      const stream = new ByteStream(8);
      void slow.server.pour(stream, Number.MAX_SAFE_INTEGER);
      const sips = async (): Promise<void> => {
        const before = slow.served.client.bytesFromBackend;
        // The relay reads on when it could write, so that something was taken.
        while (slow.served.client.bytesFromBackend === before && !slow.served.end) {
          slow.client.sip();
          await pause(0);
        }
        if (slow.served.end) throw new Surprise(`a slow reader was not spared (${slow.served})`);
      };
      for (const dead of ["client", "backend"] as const) {
        const connection = await bench.connected(door, backend);
        const [reader, sender] =
          dead === "client" ? [connection.client, connection.server] : [connection.server, connection.client];
        reader.hold();
        void sender.pour(stream, Number.MAX_SAFE_INTEGER);
        await timesOut(timeoutMs, connection, sips);
        await sender.getsReset();
        reader.flow();
        await reader.getsReset();
      }
      await timesOut(timeoutMs, slow);
      quiet.client.send("quiet");
      await quiet.server.gets("quiet");
    }),
  },
];

/**
 * Runs `check`; once more, with longer timeouts, if it fails where the event loop was held up for so long that signs
 * of life may have come too late.
 */
function withTime(check: (bench: Bench, timeoutMs: number) => Promise<void>): RelayCase["check"] {
  return async bench => {
    const delay = monitorEventLoopDelay({ resolution: 10 });
    delay.enable();
    try {
      await check(bench, shortMs);
    } catch (error) {
      if (delay.max < (shortMs / 10) * nanosecondsPerMs) throw error;
      await check(bench, 5 * shortMs);
    } finally {
      delay.disable();
    }
  };
}

/** Demands that the connection is timed out, not too early, and goes on with `meanwhile` until it is. */
async function timesOut(
  timeoutMs: number,
  { served }: Connection,
  meanwhile?: () => Promise<void>,
): Promise<void> {
  const since = performance.now();
  let over = false;
  const ended = served
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
  // Timers count in whole milliseconds, and a byte may have been on its way when the time began.
  if (meanwhile && tookMs < timeoutMs * 0.9)
    throw new Surprise(`it was timed out after ${Math.round(tookMs)} ms`);
}

const table = "/proc/net/tcp";
const keepAliveDelayMs = 30_000;
const probing =
  "After keepAliveDelayMs without traffic TCP keepalive probes start, towards both sides; 0 sends none.";

/** What the kernel is asked to look after. */
export const keepAliveCases: readonly RelayCase[] = [
  {
    name: "lets the system probe both sides of a connection without traffic",
    contract: probing,
    possible: existsSync(table),
    async check(bench) {
      const connection = await bench.connection({ keepAliveDelayMs });
      for (const [side, timer] of timersOf(connection))
        if (!timer || timer.kind !== keepAliveTimer || timer.inMs > keepAliveDelayMs)
          throw new Surprise(`towards the ${side} ${timer ? told(timer) : "no socket"}`);
    },
  },
  {
    name: "lets the system probe nobody if it is not asked to",
    contract: probing,
    possible: existsSync(table),
    async check(bench) {
      for (const [side, timer] of timersOf(await bench.connection()))
        if (timer?.kind === keepAliveTimer) throw new Surprise(`towards the ${side} ${told(timer)}`);
    },
  },
];

/** What the kernel will do next for a socket, and when. */
interface Timer {
  readonly kind: number;
  readonly inMs: number;
}

const keepAliveTimer = 2;

function told({ kind, inMs }: Timer): string {
  return kind === 0 ? "no timer" : `timer ${kind} of ${table}, in ${inMs} ms`;
}

/** The timers of the relay's sockets, which are those whose peers are the case's. */
function timersOf({ client, server }: Connection): readonly (readonly [string, Timer | undefined])[] {
  const sockets = readFileSync(table, "utf8").split("\n");
  return (
    [
      ["client", client],
      ["backend", server],
    ] as const
  ).map(([side, peer]) => {
    const addresses = `${hex(peer.socket.remotePort)} 0100007F:${hex(peer.port)} `;
    const line = sockets.find(one => one.includes(addresses));
    // Hundredths of a second behind the colon.
    const [, kind = "", when = ""] = /(\w\w):(\w{8}) \w{8} +\d+ /.exec(line ?? "") ?? [];
    const timer = { kind: Number.parseInt(kind, 16), inMs: Number.parseInt(when, 16) * 10 };
    return [side, line === undefined ? undefined : timer] as const;
  });
}

function hex(port = 0): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}
