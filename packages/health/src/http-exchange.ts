import type { Agent, IncomingMessage } from "node:http";
import { type Endpoint, formatAddress, GatewayError } from "@gw/interface";
import { nodeHttp } from "./lazily.js";

/** What is asked. */
export interface Question {
  /** Starts with `/`. */
  readonly path: string;
  /** JSON to post. @default none, so that it is a GET */
  readonly body?: string;
}

/** What came, whatever its status. Redirects are not followed. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  /** Whether the connection was made for it, so that a server that has been restarted may have answered. */
  readonly fresh: boolean;
}

/** A kept connection turned out to be closed, which says nothing about the server of now. */
export class StaleConnection extends Error {}

const mostBytes = 64 * 1024;
const mostHeaderBytes = 16 * 1024;

/**
 * Asks once, on the agent's connection or a new one. Rejects with the reason of `signal`, with a
 * {@link StaleConnection}, with a GatewayError where the answer is too large, or with what Node says.
 */
export function exchange(
  agent: Agent,
  endpoint: Endpoint,
  { path, body }: Question,
  signal: AbortSignal,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = nodeHttp().request({
      agent,
      method: body === undefined ? "GET" : "POST",
      path,
      maxHeaderSize: mostHeaderBytes,
      headers: {
        // A zone means nothing to others (RFC 6874, 1).
        host: formatAddress({ ...endpoint, host: endpoint.host.replace(/%.*$/s, "") }),
        ...(body !== undefined && {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
        }),
      },
    });
    const giveUp = (): void => {
      reject(signal.reason);
      request.destroy();
    };
    const settle = (): void => signal.removeEventListener("abort", giveUp);
    signal.addEventListener("abort", giveUp);
    request.on("error", error => {
      settle();
      reject(request.reusedSocket && isHangUp(error) ? new StaleConnection() : error);
    });
    request.once("response", response => {
      read(response)
        .then(text => ({ status: response.statusCode ?? 0, text, fresh: !request.reusedSocket }))
        .then(resolve, reject)
        .finally(settle);
    });
    request.end(body);
    if (signal.aborted) giveUp();
  });
}

async function read(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > mostBytes)
      throw new GatewayError("unhealthy", `its answer is larger than ${mostBytes / 1024} KiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function isHangUp(error: Error): boolean {
  return "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}
