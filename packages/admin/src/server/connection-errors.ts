import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { commonHeaders } from "./answer.js";

/** The status for what Node's HTTP parser reports; anything else is a 400. */
const statuses: ReadonlyMap<string, number> = new Map([
  ["ERR_HTTP_REQUEST_TIMEOUT", 408],
  ["HPE_CHUNK_EXTENSIONS_OVERFLOW", 413],
  ["HPE_HEADER_OVERFLOW", 431],
]);

/** Answers what is no HTTP request, or came too slowly, with a fixed text, and closes the connection. */
export function answerConnectionError(error: NodeJS.ErrnoException, socket: Duplex): void {
  // What an answer has begun with must not be followed by another one.
  const { _httpMessage: answering } = socket as { _httpMessage?: { readonly headersSent: boolean } | null };
  if (error.code === "ECONNRESET" || !socket.writable || answering?.headersSent) {
    socket.destroy();
    return;
  }
  const status = statuses.get(error.code ?? "") ?? 400;
  const body = `${STATUS_CODES[status]?.toLowerCase()}\n`;
  const headers = Object.entries({
    ...commonHeaders,
    Connection: "close",
    "Content-Length": `${body.length}`,
    "Content-Type": "text/plain; charset=utf-8",
  });
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines}\r\n${body}`, () => socket.destroy());
}
