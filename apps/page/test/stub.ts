import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

/** The folder of the built page. */
export const dist: string = fileURLToPath(new URL("../dist", import.meta.url));

/** As strict as the admin server. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const types = {
  "icon.svg": "image/svg+xml",
  "index.html": "text/html; charset=utf-8",
  "page.js": "text/javascript",
  "page.css": "text/css",
};

/** A server that has the page and a stream, and sends what a test says. */
export interface Stub extends AsyncDisposable {
  readonly url: string;
  /** Sends a message to all pages that are connected, and keeps it for those that connect later if it is a status. */
  send(event: "status" | "event", data: unknown): void;
  /** Sends a message that is not JSON. */
  sendRaw(event: string, data: string): void;
  /** Ends all connections and stops listening. */
  stop(): Promise<void>;
  /** Listens again, on the same port. */
  start(): Promise<void>;
  /** Resolves when another page has connected. */
  connected(): Promise<void>;
  /** Resolves when a page is connected. */
  hasStream(): Promise<void>;
}

export async function startStub(): Promise<Stub> {
  const open = new Set<ServerResponse>();
  let last: unknown;
  const server = createServer(async (request, response) => {
    const name = request.url === "/" ? "index.html" : (request.url ?? "").slice(1);
    response.setHeader("content-security-policy", policy);
    if (name === "stream") {
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      response.write(": stream\n\n");
      if (last !== undefined) response.write(message("status", JSON.stringify(last)));
      open.add(response);
      response.on("close", () => open.delete(response));
      server.emit("stream");
    } else if (name in types) {
      response.setHeader("content-type", types[name as keyof typeof types]);
      response.end(await readFile(`${dist}/${name}`));
    } else response.writeHead(404).end();
  });
  let port = 0;
  const sendRaw = (event: string, data: string): void => {
    for (const response of open) response.write(message(event, data));
  };
  const stub: Stub = {
    get url() {
      return `http://127.0.0.1:${port}/`;
    },
    sendRaw,
    send(event, data) {
      if (event === "status") last = data;
      sendRaw(event, JSON.stringify(data));
    },
    async connected() {
      await once(server, "stream");
    },
    async hasStream() {
      if (open.size === 0) await once(server, "stream");
    },
    async start() {
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
      ({ port } = server.address() as AddressInfo);
    },
    async stop() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
    [Symbol.asyncDispose]: () => stub.stop(),
  };
  await stub.start();
  return stub;
}

function message(event: string, data: string): string {
  return `event: ${event}\ndata: ${data}\n\n`;
}
