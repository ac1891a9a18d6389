import type { Agent } from "node:http";
import type { Socket } from "node:net";
import { type Clock, type Deadline, type Endpoint, formatAddress, startDeadline } from "@gw/interface";
import type { Dial } from "./dial-tcp.js";
import { handshake } from "./handshake.js";
import { type Answer, exchange, type Question, StaleConnection } from "./http-exchange.js";
import { explained } from "./http-failure.js";
import { oneConnection } from "./one-connection.js";
import { doingOf } from "./probing.js";
import { remember } from "./remember.js";
import type { TlsSide } from "./tls-side.js";

/** Bounds of one question. */
export interface Patience {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** HTTP/1.1 with one connection to each endpoint, kept alive from one question to the next. */
export interface HttpClient {
  /**
   * Asks over TLS if `secure`. A connection on which a question failed is closed.
   *
   * @throws {GatewayError} `unhealthy` if what came is no HTTP or more than 64 KiB; `untrusted`,
   *   `certificate-refused`; `timed-out`, `aborted`; and what dials fail with
   */
  ask(endpoint: Endpoint, secure: boolean, question: Question, patience: Patience): Promise<Answer>;
  /** Closes all connections, and gives up what is being asked. */
  close(): void;
}

/** The connection to one endpoint, while there is one. */
interface Line {
  agent: Agent | undefined;
  madeAt: number;
  /** Bounds the question that is under way. */
  deadline: Deadline | undefined;
}

/**
 * How long a connection is kept, in milliseconds. A name may lead elsewhere by then, and a server that goes on to serve
 * what it has accepted may accept nothing more.
 */
const longestMs = 60_000;
/** What is not asked during this time loses its connection, in milliseconds. */
const idleLineMs = 180_000;
/** How many connections are kept: of those that are asked often. Each takes a descriptor from clients. */
const mostKept = 32;

/** The client of one probe. It loads Node's HTTP with its first question. */
export function createHttpClient(settings: {
  readonly dial: Dial;
  readonly clock: Clock;
  readonly tls: TlsSide;
}): HttpClient {
  const { dial, clock, tls } = settings;
  const hangUp = (line: Line): void => {
    line.agent?.destroy();
    line.agent = undefined;
  };
  /** Those with a connection and nothing under way, the one that was used last at the end. */
  const kept = new Set<Line>();
  const forget = (line: Line): void => {
    kept.delete(line);
    hangUp(line);
  };
  const keep = (line: Line): void => {
    if (line.agent) kept.add(line);
    const [oldest] = kept;
    if (oldest && kept.size > mostKept) forget(oldest);
  };
  const lines = remember<Line>(clock, () => ({ agent: undefined, madeAt: 0, deadline: undefined }), {
    idleMs: idleLineMs,
    end: forget,
  });

  const connect = async (endpoint: Endpoint, secure: boolean, deadline: Deadline): Promise<Socket> => {
    const { signal } = deadline;
    const tcp = await deadline.bound(dial(endpoint, signal), late => late.destroy());
    return secure ? handshake(tcp, tls, { endpoint, doing: doingOf(endpoint), signal }) : tcp;
  };

  return {
    async ask(endpoint, secure, question, { timeoutMs, signal }) {
      const doing = doingOf(endpoint);
      const line = lines.of(`${secure ? "https" : "http"}://${formatAddress(endpoint)}`);
      const deadline = startDeadline(doing, { timeoutMs, clock, signal });
      kept.delete(line);
      const once = (): Promise<Answer> => {
        line.deadline = deadline;
        if (!line.agent) line.madeAt = clock.now();
        line.agent ??= oneConnection(() => connect(endpoint, secure, line.deadline ?? deadline));
        return exchange(line.agent, endpoint, question, deadline.signal);
      };
      if (clock.now() - line.madeAt > longestMs) hangUp(line);
      try {
        return await once().catch(error => {
          hangUp(line);
          if (error instanceof StaleConnection) return once();
          throw error;
        });
      } catch (error) {
        hangUp(line);
        throw explained(error, doing, secure);
      } finally {
        deadline.cancel();
        keep(line);
      }
    },
    close: lines.forgetAll,
  };
}
