import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type Address, formatAddress, GatewayError } from "@gw/interface";
import { type Cluster, curlGet, curlPut, type Member } from "./cluster.js";
import { createStore, put, RequestError, range, type Store } from "./kv-store.js";

/** The largest body of a request: etcd's limit of 1.5 MiB is 2 MiB in base64. */
const maxBodyBytes = 2 * 1024 * 1024;

/** Clients expect a version of etcd; the Server header names the stand-in. */
const version = { etcdserver: "3.5.21", etcdcluster: "3.5.0" };
const serverHeader = "gw-demo-stand-in";

/**
 * Three stand-ins for etcd members, in this process, with one store in memory. They answer `/version`, `/health`,
 * `/readyz` and the JSON forms of put and range as etcd does, and do not speak gRPC.
 *
 * @throws {GatewayError} if one cannot listen, or `signal` is aborted; then none runs
 */
export async function startStandIns(signal: AbortSignal): Promise<Cluster> {
  const store = createStore();
  const members = [1, 2, 3].map(number => standIn(number, store));
  const close = async (): Promise<void> => {
    await Promise.all(members.map(member => member.stop()));
  };
  try {
    for (const member of members) await member.start(signal);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    members,
    description: "Three stand-ins for etcd: one store in memory, for curl but not for etcdctl.",
    commands: address => [
      ["put bar at foo, keys and values in base64", curlPut(address, "foo", "bar")],
      ["get foo", curlGet(address, "foo")],
    ],
    close,
  };
}

interface Route {
  readonly method: "GET" | "POST";
  /** Returns the body of the response: text is sent as is, anything else as JSON. */
  readonly answer: (body: string) => unknown;
}

/**
 * An HTTP server in this process that answers as etcd does, from `store`. It listens on 127.0.0.1, on a port
 * that is free when it is first started.
 */
function standIn(number: number, store: Store): Member {
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
    const server = createServer((request, response) => void this.#respond(request, response));
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

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = this.#routes.get(request.url?.replace(/\?.*/s, "") ?? "");
    response.setHeader("Server", serverHeader);
    try {
      const body = await readBody(request);
      if (!route) return send(response, 404, "404 page not found\n");
      response.setHeader("Allow", route.method);
      if (request.method !== route.method) return send(response, 405, "Method Not Allowed\n");
      if (body === undefined) return send(response, 413, "request is too large\n");
      send(response, 200, route.answer(body));
    } catch (error) {
      if (error instanceof RequestError) send(response, error.status, error.body);
      // Otherwise the client disconnected before its request was complete.
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

/** The whole body, or undefined if it is too large; then the rest is read and discarded. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
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
