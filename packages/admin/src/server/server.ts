import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIP, type Socket } from "node:net";
import { GatewayError } from "@gw/interface";
import type { AdminGateway } from "../contract/gateway.js";
import { answerConnectionError } from "./connection-errors.js";
import type { Entrance } from "./guard.js";
import {
  closeGraceMs,
  headersTimeoutMs,
  keepAliveTimeoutMs,
  maxConnections,
  maxHeaderSize,
  maxHeaders,
  maxReports,
  reportIntervalMs,
  requestTimeoutMs,
  timeoutCheckMs,
} from "./limits.js";
import { type AdminListen, type Listening, listenAt } from "./listen.js";
import { inTurn } from "./requests.js";
import { createRoutes } from "./routes.js";

/** Options of {@link createAdminServer}. */
export interface AdminServerOptions {
  readonly gateway: AdminGateway;
  /** Where to listen; a name means all its addresses, port 0 any free one. */
  readonly listen: readonly AdminListen[];
  /** The folder with the files of the live page. @default none: `/` lists the routes */
  readonly page?: string | undefined;
  /**
   * Names besides `localhost`, the name of this machine and those of `listen` that clients may call the server by, in the
   * `Host` header. @default none
   */
  readonly hostNames?: readonly string[] | undefined;
  /**
   * Is notified of what goes wrong, none of which ends the server: the gateway threw, the page cannot be read, connections cannot
   * be accepted. In ten seconds the same is reported once, and at most ten different ones.
   */
  readonly onError: (error: GatewayError) => void;
}

/** An admin server that listens. */
export interface AdminServer {
  /** Where it listens: `127.0.0.1:2381`, `unix:/run/gw/admin.sock`. */
  readonly addresses: readonly string[];
  /** Stops listening, ends the streams, and within a second all connections. Never rejects. */
  close(): Promise<void>;
}

/**
 * Starts an HTTP server that shows `gateway`, and passes actions to it if it has any.
 *
 * @throws {GatewayError} why it cannot listen at one of its addresses; then it listens at none
 */
export async function createAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const sockets = new Set<Socket>();
  const report = createReporter(options.onError);
  const routes = createRoutes(options.gateway, options.page, error =>
    report(GatewayError.from(error, "answer a request to the admin server")),
  );
  const names = new Set(namesOf(options).map(name => name.toLowerCase()));
  const listening: Listening[] = [];
  const close = (): Promise<void> => {
    routes.close();
    return closeAll(listening, sockets);
  };
  try {
    for (const target of options.listen) {
      const entrance: Entrance = { unix: "path" in target, names };
      const create = (): Server =>
        createHttpServer(sockets, report, (request, response) => {
          void routes.answer(request, response, entrance);
        });
      listening.push(...(await listenAt(target, create)));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { addresses: listening.map(({ address }) => address), close };
}

function createHttpServer(
  sockets: Set<Socket>,
  report: (error: GatewayError) => void,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  const server = createServer({
    connectionsCheckingInterval: timeoutCheckMs,
    headersTimeout: headersTimeoutMs,
    insecureHTTPParser: false,
    keepAlive: true,
    keepAliveTimeout: keepAliveTimeoutMs,
    maxHeaderSize,
    noDelay: true,
    requestTimeout: requestTimeoutMs,
    // It is checked in guard.ts, whose answer has the common headers.
    requireHostHeader: false,
  });
  // One more than allowed, so that too many are seen: Node drops the others silently.
  server.maxHeadersCount = maxHeaders + 1;
  server.on("connection", socket => {
    if (sockets.size >= maxConnections) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const answer = inTurn(handle);
  server.on("request", answer);
  // Node would answer it without the common headers.
  server.on("checkExpectation", answer);
  server.on("clientError", answerConnectionError);
  // After it listens, what cannot be accepted: Node continues with the next connection.
  server.on("error", error => {
    if (server.listening) report(GatewayError.from(error, "accept a connection to the admin server"));
  });
  return server;
}

function namesOf({ listen, hostNames = [] }: AdminServerOptions): readonly string[] {
  const hosts = listen.flatMap(target => ("host" in target ? [target.host] : []));
  return [...hosts.filter(host => isIP(host) === 0), ...hostNames];
}

/** Reports an error once in {@link reportIntervalMs}, and at most {@link maxReports} different ones. */
function createReporter(onError: (error: GatewayError) => void): (error: GatewayError) => void {
  const reported = new Set<string>();
  let since = 0;
  return error => {
    const now = performance.now();
    if (now - since >= reportIntervalMs) {
      since = now;
      reported.clear();
    }
    if (reported.has(error.message) || reported.size >= maxReports) return;
    reported.add(error.message);
    try {
      onError(error);
    } catch (thrown) {
      process.emitWarning(GatewayError.from(thrown, "gw: onError of the admin server threw").detail);
    }
  };
}

/** Answers that are being sent have {@link closeGraceMs} to end. */
async function closeAll(listening: readonly Listening[], sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = Promise.all(
    listening.map(({ server }) => new Promise<void>(resolve => server.close(() => resolve()))),
  );
  const timer = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, closeGraceMs);
  for (const { server } of listening) server.closeIdleConnections();
  await closed;
  clearTimeout(timer);
}
