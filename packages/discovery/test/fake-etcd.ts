import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request that a fake server received. */
interface Asked {
  readonly path: string;
  readonly token: string | undefined;
  readonly body: unknown;
}

/** A server whose answers a test controls. `await using` stops it. */
export interface FakeEtcd extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly address: string;
  readonly url: string;
  readonly asked: readonly Asked[];
  stop(): Promise<void>;
  listenAgain(): Promise<void>;
}

/** Answers a request whose body has been read. */
export type Respond = (asked: Asked, response: ServerResponse, request: IncomingMessage) => void;

export async function startFakeEtcd(respond: Respond): Promise<FakeEtcd> {
  const asked: Asked[] = [];
  const listener: RequestListener = async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const one = {
      path: `${request.method} ${request.url}`,
      token: request.headers.authorization,
      body: JSON.parse(Buffer.concat(chunks).toString("utf8")),
    };
    asked.push(one);
    respond(one, response, request);
  };
  const server = createServer((request, response) => void listener(request, response));
  const listen = async (port: number): Promise<void> => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const address = `127.0.0.1:${port}`;
  return {
    address,
    url: `http://${address}`,
    asked,
    stop,
    listenAgain: () => listen(port),
    [Symbol.asyncDispose]: stop,
  };
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/** A member as etcd encodes it: without empty and false fields. */
interface FakeMember {
  readonly name?: string;
  readonly clientURLs?: readonly string[];
  readonly isLearner?: true;
}

/** Servers that all return the same list, which a test may change. */
export interface FakeCluster extends AsyncDisposable {
  readonly servers: readonly FakeEtcd[];
  /** @default all servers */
  list: readonly FakeMember[];
}

export async function startFakeCluster(size: number): Promise<FakeCluster> {
  const cluster = { list: [] as readonly FakeMember[] };
  const respond: Respond = (_, response) =>
    json(response, 200, { header: { cluster_id: "1" }, members: cluster.list });
  const servers = await Promise.all(Array.from({ length: size }, () => startFakeEtcd(respond)));
  cluster.list = servers.map(({ url }, index) => ({ name: `m${index}`, clientURLs: [url] }));
  return Object.assign(cluster, {
    servers,
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map(server => server.stop()));
    },
  });
}
