import type { Socket } from "node:net";
import { finished } from "node:stream/promises";
import {
  type Clock,
  type Endpoint,
  type Probe,
  type ProbeRequest,
  systemClock,
  type Verdict,
} from "@gw/interface";
import { type Backend, startBackend } from "@gw/testing";

/** An endpoint of 127.0.0.1 that leaves open whether it speaks TLS unless `secure` is given. */
export function at(port: number, secure?: boolean): Endpoint {
  return { host: "127.0.0.1", port, priority: 0, weight: 0, ...(secure !== undefined && { secure }) };
}

/** The endpoint of `127.0.0.1:2379`. */
export function atAddress(address: string, secure?: boolean): Endpoint {
  return at(Number(address.slice(address.lastIndexOf(":") + 1)), secure);
}

/** Checks once. */
export function probeOnce(probe: Probe, endpoint: Endpoint, request?: ProbeRequest): Promise<Verdict> {
  return probe(endpoint, new AbortController().signal, request);
}

/** Real time, of which a test can skip some between two checks. */
export function skippableClock(): Clock & { skip(ms: number): void } {
  let skippedMs = 0;
  return {
    now: () => systemClock.now() + skippedMs,
    after: systemClock.after,
    skip(ms) {
      skippedMs += ms;
    },
  };
}

/** A verdict in one line: `etcd /health`, `tls: note`, or `tcp [refused] cluster: …`; addresses are left out. */
export function formatVerdict({ check, error, scope, note }: Verdict): string {
  const line = error ? `${check} ${scope} ${error.message}` : [check, note].filter(Boolean).join(": ");
  return line.replace(/probe \S+: /g, "");
}

/** A server that speaks HTTP/1.1 and sends what `answer` returns, one request after the other; it closes nothing by itself. */
export async function startFakeHttp(
  answer: (path: string, socket: Socket) => string | undefined,
): Promise<Backend & { readonly asked: readonly string[] }> {
  const asked: string[] = [];
  const backend = await startBackend(socket => {
    let text = "";
    socket.on("data", chunk => {
      text += chunk;
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const head = text.slice(0, end);
        const bodyBytes = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        text = text.slice(end + 4 + bodyBytes);
        const path = head.split(" ", 2)[1] ?? "";
        asked.push(path);
        const reply = answer(path, socket);
        if (reply !== undefined) socket.write(reply);
      }
    });
  });
  return Object.assign(backend, { asked });
}

/** A whole answer. */
export function http(status: number, body: string, ...headers: readonly string[]): string {
  return [
    `HTTP/1.1 ${status} Words`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
    "",
    body,
  ].join("\r\n");
}

/** Resolves when the other side of each connection of the server has closed it. */
export async function allClosed({ sockets }: Backend): Promise<void> {
  await Promise.all(
    [...sockets].map(socket => finished(socket.resume(), { writable: false }).catch(() => {})),
  );
}
