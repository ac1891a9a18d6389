import type { Agent } from "node:http";
import { isIP, type Socket } from "node:net";
import {
  type Clock,
  createExpiringMap,
  type Deadline,
  type Endpoint,
  formatAddress,
  GatewayError,
  startDeadline,
} from "@gw/interface";
import { type Dial, dialClient } from "./dial.js";
import { handshake } from "./handshake.js";
import {
  exchange,
  type HttpRequest,
  type HttpResponse,
  httpError,
  StaleConnection,
} from "./http-exchange.js";
import type { TlsContext } from "./tls-context.js";

/** Bounds of one request. */
export interface RequestLimits {
  /** For the dial, the handshake and the whole response, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** HTTP/1.1 towards endpoints. Redirects are not followed, and no proxy is used. */
export interface HttpClient {
  /**
   * Sends one request, and receives the whole response. A connection on which a request failed is closed.
   *
   * @throws {GatewayError} `unhealthy` if the response is no HTTP, or too large; `untrusted`, `certificate-refused`;
   *   `timed-out`, `aborted`; and what dials fail with
   */
  request(endpoint: Endpoint, request: HttpRequest, limits: RequestLimits): Promise<HttpResponse>;
  /** Whether the endpoint speaks TLS, as far as is known. */
  isSecure(endpoint: Endpoint): boolean;
  /** Closes the connections that are kept, and aborts the requests on them. A later request opens a new one. */
  close(): void;
}

/** Options of {@link createHttpClient}. */
export interface HttpClientOptions {
  readonly dial: Dial;
  readonly clock: Clock;
  readonly tls: TlsContext;
  /** What errors begin with. @default `ask` and the address, as in `ask 10.0.0.1:2379` */
  readonly operation?: ((endpoint: Endpoint) => string) | undefined;
  /** The longest body of a response, in bytes. @default 65536 */
  readonly maxBytes?: number | undefined;
  /**
   * Keeps one connection to each endpoint for the next request to it, which must not begin before the last one is over: for
   * five minutes, while it is used once in three, and to the 32 endpoints that were asked last. It is not used again when
   * the host has moved, see `resolve`. Else each request has a connection of its own. @default false
   */
  readonly keepAlive?: boolean | undefined;
  /**
   * The IP addresses of a host name now; it may answer from memory. A kept connection is used for longer than a minute only
   * while its address is among them; if the look-up fails, it is. @default none: connections to host names are kept for a
   * minute
   */
  readonly resolve?: ((host: string) => Promise<readonly string[]>) | undefined;
  /** A number in [0, 1), for jitter. @default Math.random */
  readonly random?: (() => number) | undefined;
  /**
   * What to do with endpoints of which `secure` is not known: find out, or speak plain text. A server that wants TLS
   * closes a plain connection (etcd), or sends an alert or a 400 (Go): then it is asked over TLS, until that fails.
   * @default false
   */
  readonly detectTls?: boolean | undefined;
}

/**
 * For how long a connection is used, in milliseconds: a load balancer may lead elsewhere by then, and a server that still
 * serves what it has accepted may accept nothing new. A new one costs an etcd with TLS as much as several requests.
 */
const maxAgeMs = 300_000;
/** Up to this part of it is left out at random: all clients of a server that was restarted connected at the same time. */
const ageJitterPart = 0.2;
/** After this time, and each time again, a connection is used only if its host still has that address, in milliseconds. */
const resolveEveryMs = 60_000;
/** After this time without a request a connection is closed, in milliseconds. */
const maxIdleMs = 180_000;
/** How many connections are kept: each takes a descriptor that clients may need. */
const maxKept = 32;

/** The connection to one endpoint, if there is one. */
interface Slot {
  agent: Agent | undefined;
  /** When the connection is too old. */
  expiresAt: number;
  /** When the host was last looked up for it. */
  resolvedAt: number;
  /** The address that it leads to; empty until a response has come. */
  remoteAddress: string;
  /** Whether it is no longer kept, and must not be after a request that is under way. */
  isForgotten: boolean;
  /** Bounds the request that is under way. */
  deadline: Deadline | undefined;
}

/** Loads Node's HTTP with the first request, and its TLS with the first that needs it. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { dial, clock, tls, resolve, random = Math.random, operation = askOperation } = options;
  const { maxBytes = 64 * 1024, keepAlive = false, detectTls = false } = options;
  const disconnect = (slot: Slot): void => {
    slot.agent?.destroy();
    slot.agent = undefined;
  };
  /** Connections without a request under way, in the order of their last use. */
  const idle = new Set<Slot>();
  const discard = (slot: Slot): void => {
    idle.delete(slot);
    disconnect(slot);
  };
  const release = (slot: Slot): void => {
    if (!keepAlive || slot.isForgotten) disconnect(slot);
    else if (slot.agent) idle.add(slot);
    const [oldest] = idle;
    if (oldest && idle.size > maxKept) discard(oldest);
  };
  const newSlot = (): Slot => ({
    agent: undefined,
    expiresAt: 0,
    resolvedAt: 0,
    remoteAddress: "",
    isForgotten: false,
    deadline: undefined,
  });
  const forget = (slot: Slot): void => {
    slot.isForgotten = true;
    discard(slot);
  };
  const slots = createExpiringMap(clock, newSlot, { idleMs: maxIdleMs, onDelete: forget });

  /** Whether the connection may be used for one more request. */
  const isCurrent = async (slot: Slot, { host }: Endpoint, deadline: Deadline): Promise<boolean> => {
    const now = clock.now();
    if (now >= slot.expiresAt) return false;
    if (isIP(host) || now - slot.resolvedAt <= resolveEveryMs) return true;
    if (!resolve) return false;
    slot.resolvedAt = now;
    // Without DNS, nothing shows that the host has moved.
    const addresses = await deadline.bound(resolve(host), () => {}).catch(() => undefined);
    return addresses === undefined || addresses.includes(slot.remoteAddress);
  };

  const connect = async (endpoint: Endpoint, secure: boolean, deadline: Deadline): Promise<Socket> => {
    const tcp = await dialClient(dial, endpoint, deadline);
    const { signal } = deadline;
    return secure ? handshake(tcp, tls, endpoint, { operation: operation(endpoint), signal }) : tcp;
  };

  const send = async (
    endpoint: Endpoint,
    secure: boolean,
    request: HttpRequest,
    limits: RequestLimits,
  ): Promise<HttpResponse> => {
    const slot = keepAlive
      ? slots.get(`${secure ? "https" : "http"}://${formatAddress(endpoint)}`)
      : newSlot();
    const deadline = startDeadline(operation(endpoint), { ...limits, clock });
    idle.delete(slot);
    const attempt = async (): Promise<HttpResponse> => {
      slot.deadline = deadline;
      if (!slot.agent) {
        const now = clock.now();
        Object.assign(slot, { expiresAt: now + maxAgeMs * (1 - random() * ageJitterPart), resolvedAt: now });
        slot.agent = singleConnection(() => connect(endpoint, secure, slot.deadline ?? deadline));
      }
      const response = await exchange(slot.agent, endpoint, request, {
        maxBytes,
        clock,
        signal: deadline.signal,
      });
      slot.remoteAddress = response.remoteAddress;
      return response;
    };
    try {
      if (slot.agent && !(await isCurrent(slot, endpoint, deadline))) disconnect(slot);
      return await attempt().catch(error => {
        disconnect(slot);
        if (error instanceof StaleConnection) return attempt();
        throw error;
      });
    } catch (error) {
      disconnect(slot);
      throw httpError(error, operation(endpoint), secure);
    } finally {
      deadline.cancel();
      release(slot);
    }
  };

  if (!detectTls)
    return {
      request: (endpoint, request, limits) => send(endpoint, endpoint.secure ?? false, request, limits),
      isSecure: ({ secure = false }) => secure,
      close: slots.clear,
    };
  return { ...withTlsDetection(send, clock), close: slots.clear };
}

/** What errors of requests begin with. */
export function askOperation(endpoint: Endpoint): string {
  return `ask ${formatAddress(endpoint)}`;
}

/** An agent for a single connection, which `connect` makes and which is kept until `destroy`. */
function singleConnection(connect: () => Promise<Socket>): Agent {
  const { Agent } = process.getBuiltinModule("node:http");
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const destroy = agent.destroy.bind(agent);
  let isDestroyed = false;
  return Object.assign(agent, {
    createConnection(_: unknown, done: (error: unknown, socket?: Socket) => void): undefined {
      connect().then(socket => {
        // Its request was aborted, and would return it to an agent that is destroyed.
        if (isDestroyed) socket.destroy();
        done(null, socket);
      }, done);
    },
    // Node's own would have TCP send probes each second, which the next request makes needless.
    keepSocketAlive(socket: Socket): boolean {
      socket.unref();
      return !isDestroyed;
    },
    destroy() {
      isDestroyed = true;
      destroy();
    },
  });
}

type Send = (
  endpoint: Endpoint,
  secure: boolean,
  request: HttpRequest,
  limits: RequestLimits,
) => Promise<HttpResponse>;

/** See {@link HttpClientOptions.detectTls}. */
function withTlsDetection(send: Send, clock: Clock): Pick<HttpClient, "request" | "isSecure"> {
  const detected = createExpiringMap(clock, () => ({ tls: false }));
  const detectedOf = (endpoint: Endpoint): { tls: boolean } => detected.get(formatAddress(endpoint));

  const overTls: HttpClient["request"] = async (endpoint, request, limits) => {
    const scheme = detectedOf(endpoint);
    scheme.tls = true;
    try {
      return await send(endpoint, true, request, limits);
    } catch (error) {
      // A server that refuses this side's certificate does speak TLS; after other errors it is detected again.
      scheme.tls = codeOf(error) === "certificate-refused";
      throw error;
    }
  };

  return {
    isSecure: endpoint => endpoint.secure ?? detectedOf(endpoint).tls,
    async request(endpoint, request, limits) {
      if (endpoint.secure !== undefined) return send(endpoint, endpoint.secure, request, limits);
      if (detectedOf(endpoint).tls) return overTls(endpoint, request, limits);
      try {
        const response = await send(endpoint, false, request, limits);
        if (!demandsTls(response)) return response;
      } catch (error) {
        if (codeOf(error) === "untrusted") return overTls(endpoint, request, limits);
        if (codeOf(error) !== "reset") throw error;
        return overTls(endpoint, request, limits).catch(reason => {
          // It may be a server that closes any connection.
          throw codeOf(reason) === "reset" ? error : reason;
        });
      }
      return overTls(endpoint, request, limits);
    },
  };
}

/** Whether this is what Go's TLS servers answer to plain HTTP. */
export function demandsTls({ status, text }: HttpResponse): boolean {
  return status === 400 && /HTTPS server/.test(text);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof GatewayError ? error.code : undefined;
}
