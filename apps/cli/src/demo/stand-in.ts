import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Address, formatAddress, GatewayError } from "@gw/interface";
import type { Member } from "./cluster.js";
import { put, RequestError, range } from "./kv-json.js";
import type { Store } from "./store.js";

/** The most that a request's body may have: 1.5 MiB, which is etcd's limit, are 2 MiB in base64. */
const maxBodyBytes = 2 * 1024 * 1024;

/** Clients that ask for a version want one of etcd's; the Server header says what answers in truth. */
const version = { etcdserver: "3.5.21", etcdcluster: "3.5.0" };
const serverHeader = "gw-demo-stand-in";

interface Route {
  readonly method: "GET" | "POST";
  /** Text is sent as it is, anything else as JSON. */
  readonly answer: (body: string) => unknown;
}

/**
 * An HTTP server in this process that answers as etcd does, over `store`. It listens on 127.0.0.1, at a port
 * that is free when it is started for the first time.
 */
export function standIn(number: number, store: Store): Member {
  return new StandIn(number, store);
}

class StandIn implements Member {
  readonly name: string;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #sockets = new Set<Socket>();
  #address: Address = { host: "127.0.0.1", port: 0 };
  #server: Server | undefined;

  constructor(number: number, store: Store) {
    this.name = `member ${number}`;
    this.#routes = routes(number, store);
  }

  get address(): Address {
    return this.#address;
  }

  get running(): boolean {
    return this.#server !== undefined;
  }

  async start(signal: AbortSignal): Promise<void> {
    const server = createServer((request, response) => void this.#answer(request, response));
    server.on("connection", socket => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    try {
      await once(server.listen(this.#address), "listening", { signal });
    } catch (error) {
      server.close();
      throw GatewayError.from(error, `${this.name} cannot listen on ${formatAddress(this.#address)}`);
    }
    const bound = server.address();
    if (bound && typeof bound === "object") this.#address = { host: bound.address, port: bound.port };
    this.#server = server;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = once(server, "close");
    server.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = this.#routes.get(request.url?.replace(/\?.*/s, "") ?? "");
    response.setHeader("Server", serverHeader);
    try {
      const body = await read(request);
      if (!route) return send(response, 404, "404 page not found\n");
      response.setHeader("Allow", route.method);
      if (request.method !== route.method) return send(response, 405, "Method Not Allowed\n");
      if (body === undefined) return send(response, 413, "request is too large\n");
      send(response, 200, route.answer(body));
    } catch (error) {
      if (error instanceof RequestError) send(response, error.status, error.body);
      // Otherwise the client went away before its request was whole.
      else response.destroy();
    }
  }
}

function routes(member: number, store: Store): ReadonlyMap<string, Route> {
  const withHeader = (answer: object): object => ({
    header: {
      cluster_id: "3630241574",
      member_id: String(member),
      revision: String(store.revision),
      raft_term: "2",
    },
    ...answer,
  });
  return new Map<string, Route>([
    ["/version", { method: "GET", answer: () => version }],
    ["/health", { method: "GET", answer: () => ({ health: "true", reason: "" }) }],
    ["/readyz", { method: "GET", answer: () => "ok" }],
    ["/v3/kv/put", { method: "POST", answer: body => withHeader(put(store, body)) }],
    ["/v3/kv/range", { method: "POST", answer: body => withHeader(range(store, body)) }],
  ]);
}

/** The whole body, or undefined when it is too large: then the rest is read and forgotten. */
async function read(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= maxBodyBytes) chunks.push(chunk);
    else chunks.length = 0;
  }
  return length <= maxBodyBytes ? Buffer.concat(chunks).toString() : undefined;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const isText = typeof body === "string";
  response.statusCode = status;
  response.setHeader("Content-Type", isText ? "text/plain; charset=utf-8" : "application/json");
  response.end(isText ? body : JSON.stringify(body));
}
