import { existsSync, readFileSync } from "node:fs";
import type { Connection, RelayCase } from "./relay-bench.js";
import { Surprise } from "./waiting.js";

const table = "/proc/net/tcp";
const keepAliveDelayMs = 30_000;
const contract =
  "After keepAliveDelayMs without traffic TCP keepalive probes start, towards both sides; 0 sends none.";

/** What the kernel is asked to look after. */
export const keepAliveCases: readonly RelayCase[] = [
  {
    name: "lets the system probe both sides of a connection without traffic",
    contract,
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
    contract,
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
