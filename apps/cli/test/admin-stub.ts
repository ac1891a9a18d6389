import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** A JSON object whose fields a test changes. */
// biome-ignore lint/suspicious/noExplicitAny: tests change any field
export type Json = any;

/** An admin server that answers what a test says. */
export interface AdminStub extends AsyncDisposable {
  /** `host:port`, or `unix:PATH`. */
  readonly address: string;
  /** What `/status` answers; a test changes it. */
  readonly status: Json;
  readonly events: Json[];
  /** The paths of all actions, with their queries. */
  readonly actions: string[];
  /** Answers actions; the default does what they say to {@link status}. */
  answer: (
    path: string,
    query: URLSearchParams,
  ) => readonly [number, Json] | Promise<readonly [number, Json]>;
  /** Sends the status to all streams. */
  push(): void;
  /** Sends text to all streams. */
  write(text: string): void;
  /** Resolves when a client has an open stream. */
  streaming(): Promise<void>;
}

/** An endpoint that is up and healthy. */
export function endpointView(endpoint: string, more: object = {}): Json {
  return {
    endpoint,
    priority: 0,
    weight: 0,
    state: "up",
    inUse: false,
    unhealthy: false,
    since: "2026-01-01T10:00:00.000Z",
    connections: 0,
    waiting: 0,
    longestWaitMs: 0,
    totals: {
      connected: 0,
      closed: 0,
      dialFailures: 0,
      bytesFromClient: 0,
      bytesFromBackend: 0,
      dialMsSum: 0,
    },
    ...more,
  };
}

/** The status of a gateway with three members, `10.0.0.1:2379` to `10.0.0.3:2379`. */
function statusOf(endpoints: readonly Json[] = members()): Json {
  return {
    schema: 1,
    gateway: {
      version: "1.2.3",
      node: "v20.0.0",
      pid: 1,
      state: "serving",
      now: "2026-01-01T12:00:00.000Z",
      startedAt: "2026-01-01T10:00:00.000Z",
      listen: ["127.0.0.1:23790"],
      relay: "native",
      selector: "sticky-random",
      actions: true,
      logLevel: "info",
    },
    ready: true,
    inUse: "10.0.0.1:2379",
    inUseSince: "2026-01-01T11:00:00.000Z",
    endpoints,
    tiers: [],
    connections: {
      open: 5,
      accepted: 100,
      refused: 0,
      unserved: 0,
      closed: 95,
      waiting: 0,
      longestWaitMs: 0,
      dialBucketsMs: [],
      dialCounts: [],
    },
    discovery: [],
    health: { type: "etcd", available: true, intervalMs: 2000, timeoutMs: 1000 },
    identity: { clusterId: "cdf818194e3a8c32", foreign: [] },
    process: { rssBytes: 1, heapBytes: 1, cpuSeconds: 1, eventLoopDelayMs: 1 },
    options: [],
  };
}

/** Three members; the first is in use and the leader. */
function members(): Json[] {
  return [1, 2, 3].map(number =>
    endpointView(`10.0.0.${number}:2379`, {
      inUse: number === 1,
      facts: { memberId: `m${number}`, isLeader: number === 1, isLearner: false, roundTripMs: number },
    }),
  );
}

/** Starts one on a free port, or on a socket file. */
export async function startAdminStub(path?: string): Promise<AdminStub> {
  const streams = new Set<ServerResponse>();
  const sockets = new Set<Socket>();
  const stub: Omit<AdminStub, "address" | keyof AsyncDisposable> & { answer: AdminStub["answer"] } = {
    status: statusOf(),
    events: [],
    actions: [],
    answer: (action, query) => act(stub.status, action, query),
    push: () => stub.write(`event: status\ndata: ${JSON.stringify(stub.status)}\n\n`),
    write: text => {
      for (const stream of streams) stream.write(text);
    },
    streaming: async () => {
      if (streams.size === 0) await once(server, "stream");
    },
  };
  const server = createServer((request, response) => {
    void respond(request, response);
  });
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "", "http://stub");
    const json = (code: number, body: Json): void => {
      response.writeHead(code, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    if (url.pathname === "/status") return json(200, stub.status);
    if (url.pathname === "/events") return json(200, { schema: 1, events: stub.events, dropped: 0 });
    if (url.pathname === "/stream") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(`event: status\ndata: ${JSON.stringify(stub.status)}\n\n`);
      for (const event of stub.events) response.write(`event: event\ndata: ${JSON.stringify(event)}\n\n`);
      streams.add(response);
      response.on("close", () => streams.delete(response));
      server.emit("stream");
      return;
    }
    if (request.method === "POST" && request.headers["x-gw-action"] === "1") {
      const action = url.pathname.replace("/actions/", "");
      stub.actions.push(`${action}${url.search}`);
      const [code, body] = await stub.answer(action, url.searchParams);
      return json(code, body);
    }
    response.writeHead(404, { "content-type": "text/plain" }).end("there is no such path; / lists them\n");
  };
  server.on("connection", socket => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(path ?? { port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const address = path === undefined ? `127.0.0.1:${(server.address() as AddressInfo).port}` : `unix:${path}`;
  return Object.assign(stub, {
    address,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  });
}

function act(status: Json, action: string, query: URLSearchParams): readonly [number, Json] {
  const view = status.endpoints.find((one: Json) => one.endpoint === query.get("endpoint"));
  if (!view) return [404, { error: "it is not an endpoint" }];
  if (action === "check") return [200, { healthy: true }];
  if (action === "undrain") {
    if (view.state !== "held")
      return [409, { error: `${view.endpoint} is neither drained nor marked down by an operator` }];
    view.state = "up";
    delete view.hold;
  } else {
    view.state = "held";
    view.hold = action === "drain" ? "drained" : "down";
    view.connections = 0;
  }
  return [200, { done: true }];
}
