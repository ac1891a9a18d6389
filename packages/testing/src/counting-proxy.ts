import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Stands before a server, passes connections on to it, and counts the requests on them. */
export interface CountingProxy extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly address: string;
  /**
   * HTTP/1.1 requests so far, by method and target, such as `GET /health`. Of connections that carry something else,
   * the number of connections: `HTTP/2`, `TLS`, `other`.
   */
  readonly requests: ReadonlyMap<string, number>;
  /** Resolves when a request of this method and target, past or future, has been counted `times` times. */
  counted(request: string, times?: number): Promise<void>;
}

/** Starts a proxy on a free port before the server at `target`, `host:port`. */
export async function startCountingProxy(target: string): Promise<CountingProxy> {
  const [host = "", port] = target.split(":");
  const requests = new Map<string, number>();
  const waiting = new Set<() => void>();
  const count = (request: string): void => {
    requests.set(request, (requests.get(request) ?? 0) + 1);
    for (const check of waiting) check();
  };
  const open = new Set<Socket>();
  const proxy = createServer({ allowHalfOpen: true }, client => {
    const server = connect({ host, port: Number(port), allowHalfOpen: true });
    client.on("data", requestReader(count));
    pass(client, server);
    pass(server, client);
    for (const socket of [client, server]) open.add(socket.once("close", () => open.delete(socket)));
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    address: `127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    requests,
    counted: (request, times = 1) =>
      new Promise(resolve => {
        const check = (): void => {
          if ((requests.get(request) ?? 0) < times) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await once(proxy.close(), "close");
    },
  };
}

/** Passes bytes, an end and a reset on. */
function pass(from: Socket, to: Socket): void {
  from.pipe(to);
  // libuv cannot reset a socket during a shutdown: the process would never end.
  from.on("error", () => (to.writableEnded ? to.destroy() : to.resetAndDestroy()));
}

/** The first bytes of connections that are not HTTP/1.1. */
const others: readonly (readonly [string, string])[] = [
  ["HTTP/2", "PRI * HTTP/2"],
  ["TLS", "\x16"],
];

/** Reads what a client sends on one connection, and counts. */
function requestReader(count: (request: string) => void): (bytes: Buffer) => void {
  let unread = "";
  let bodyLeft = 0;
  let isFirst = true;
  let isOther = false;
  return bytes => {
    if (isOther) return;
    unread += bytes.toString("latin1");
    for (;;) {
      const skipped = Math.min(bodyLeft, unread.length);
      unread = unread.slice(skipped);
      bodyLeft -= skipped;
      const other = isFirst ? others.find(([, first]) => unread.startsWith(first))?.[0] : undefined;
      const end = unread.indexOf("\r\n\r\n");
      if (!other && end < 0) return;
      const [request] = /^[A-Z]+ \S+(?= HTTP\/1\.1\r\n)/.exec(unread) ?? [];
      // A chunked request would need another parser; nothing here sends one.
      if (other || !request || /^transfer-encoding:/im.test(unread.slice(0, end))) {
        isOther = true;
        unread = "";
        return count(other ?? "other");
      }
      count(request);
      isFirst = false;
      bodyLeft = Number(/^content-length: *(\d+)/im.exec(unread.slice(0, end))?.[1] ?? 0);
      unread = unread.slice(end + 4);
    }
  };
}
