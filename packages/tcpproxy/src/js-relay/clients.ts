import type { Socket, TcpNetConnectOpts } from "node:net";
import type { Address, Clock, ListenHandlers, RelaySettings } from "@gw/interface";
import { Connection, type Surroundings } from "./connection.js";
import { setFollower } from "./follower.js";
import type { Intake } from "./intake.js";
import { periodOf } from "./patience.js";
import type { Staging } from "./staging.js";
import { Sweep } from "./sweep.js";

/** Also without timeouts: sockets that are not read from are asked whether they have been reset. */
const longestPeriodMs = 5_000;

/** What all listeners of a relay share. */
export interface Tools {
  readonly clock: Clock;
  readonly connect: (options: TcpNetConnectOpts) => Socket;
  readonly intake: Intake;
  readonly staging: Staging;
  readonly dials: Sweep;
}

/** The clients of one listener. */
export class Clients implements Surroundings {
  readonly settings: RelaySettings;
  readonly clock: Clock;
  readonly staging: Staging;
  readonly dials: Sweep;
  readonly connections: Sweep;
  readonly periodMs: number;
  readonly #handlers: ListenHandlers;
  readonly #tools: Tools;
  #open = 0;
  /** Exists while a client does: a socket that is not read from would let the process end. */
  #hold: NodeJS.Timeout | undefined;

  constructor(handlers: ListenHandlers, settings: RelaySettings, tools: Tools) {
    this.#handlers = handlers;
    this.#tools = tools;
    this.settings = settings;
    this.clock = tools.clock;
    this.staging = tools.staging;
    this.dials = tools.dials;
    this.connections = new Sweep(tools.clock);
    this.periodMs = Math.min(longestPeriodMs, periodOf(settings));
  }

  /** @param socket a client's, which is reading */
  accept(socket: Socket): void {
    const { remoteAddress: host, remotePort: port } = socket;
    // Whoever has left already has no address any more, and nobody needs to know.
    if (host === undefined || port === undefined) {
      socket.destroy();
      return;
    }
    keepAlive(socket, this.settings);
    const client = new Connection(socket, { host, port }, this);
    const events = this.#handlers.onClient(client);
    if (!events) {
      setFollower(socket, undefined);
      socket.resetAndDestroy();
      return;
    }
    client.follow(events);
    this.#open += 1;
    this.#hold ??= setInterval(() => {}, 2 ** 31 - 1);
  }

  connect({ host, port }: Address): Socket {
    const { connect, intake } = this.#tools;
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, ...intake.dialOptions });
    intake.dialled(socket);
    keepAlive(socket, this.settings);
    return socket;
  }

  onEnded(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    clearInterval(this.#hold);
    this.#hold = undefined;
  }
}

/** Interval and probes are for Node 24.19 and later; others have 1 s and 10 built in, and take no notice. */
type SetKeepAlive = (enable: boolean, delayMs: number, intervalMs?: number, probes?: number) => Socket;

function keepAlive(socket: Socket, settings: RelaySettings): void {
  const { keepAliveDelayMs, keepAliveIntervalMs, keepAliveProbes } = settings;
  if (keepAliveDelayMs === 0) return;
  const set: SetKeepAlive = socket.setKeepAlive;
  set.call(
    socket,
    true,
    Math.max(1_000, keepAliveDelayMs),
    seconds(keepAliveIntervalMs),
    keepAliveProbes || undefined,
  );
}

/** The system counts in whole seconds, of which Node would make 0 from less than one; `undefined` for 0. */
function seconds(ms: number): number | undefined {
  return ms === 0 ? undefined : Math.max(1_000, ms);
}
