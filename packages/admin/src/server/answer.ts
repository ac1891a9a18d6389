import type { IncomingMessage, ServerResponse } from "node:http";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { answerTimeoutMs, compressFrom } from "./limits.js";

/** What a route answers. */
export interface Answer {
  readonly status: number;
  /** With its charset where it has one. */
  readonly type: string;
  readonly body: string | Buffer;
  /** In addition to {@link commonHeaders}, or instead of some of them. */
  readonly headers?: { readonly [name: string]: string } | undefined;
  /** Whether it may be compressed. @default true */
  readonly compress?: boolean | undefined;
}

/** The headers of every answer. Data must not be kept; the files of the page say otherwise. */
export const commonHeaders: { readonly [name: string]: string } = {
  "Cache-Control": "no-store",
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

export function text(status: number, body: string, headers?: Answer["headers"]): Answer {
  return { status, type: "text/plain; charset=utf-8", body: `${body}\n`, headers };
}

/** @param pretty whether people read it */
export function json(status: number, value: unknown, pretty = false): Answer {
  return { status, type: "application/json", body: `${JSON.stringify(value, null, pretty ? 2 : 0)}\n` };
}

const compress = promisify(gzip);

/** Sends `answer`, without its body if the request is HEAD. A client that does not read it in time is disconnected. */
export async function send(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
): Promise<void> {
  const plain = typeof answer.body === "string" ? Buffer.from(answer.body) : answer.body;
  const compressible = answer.compress !== false && plain.length >= compressFrom;
  const compressed = compressible && accepts(request.headers["accept-encoding"], "gzip");
  const body = compressed ? await compress(plain) : plain;
  if (response.headersSent || response.destroyed) {
    // A stream that failed after it had begun.
    response.destroy();
    return;
  }
  response.writeHead(answer.status, {
    ...commonHeaders,
    "Content-Type": answer.type,
    ...(answer.status === 304 ? {} : { "Content-Length": body.length }),
    ...(compressible ? { Vary: "Accept-Encoding" } : {}),
    ...(compressed ? { "Content-Encoding": "gzip" } : {}),
    ...answer.headers,
  });
  limitTime(response);
  response.end(request.method === "HEAD" || answer.status === 304 ? undefined : body);
}

function limitTime(response: ServerResponse): void {
  const timer = setTimeout(() => response.destroy(), answerTimeoutMs).unref();
  response.once("close", () => clearTimeout(timer));
}

/** Whether a header such as `gzip, br;q=0.5, *;q=0` names `value` with a quality above 0. */
export function accepts(header: string | undefined, value: string): boolean {
  const items = parseAccept(header ?? "");
  const quality = items.find(item => item.value === value)?.quality;
  return (quality ?? items.find(item => item.value === "*")?.quality ?? 0) > 0;
}

export interface AcceptItem {
  /** In lower case, without parameters. */
  readonly value: string;
  /** In lower case, without quotes. */
  readonly parameters: ReadonlyMap<string, string>;
  /** 0 to 1. */
  readonly quality: number;
}

/** The items of an `Accept` or `Accept-Encoding` header. What is malformed has the quality 0. */
export function parseAccept(header: string): readonly AcceptItem[] {
  return header
    .toLowerCase()
    .split(",")
    .map(item => {
      const [value = "", ...rest] = item.split(";").map(part => part.trim());
      const parameters = new Map(
        rest.map(part => {
          const [name = "", ...given] = part.split("=");
          return [name.trim(), given.join("=").trim().replaceAll('"', "")];
        }),
      );
      const quality = Number(parameters.get("q") ?? 1);
      return { value, parameters, quality: quality >= 0 && quality <= 1 ? quality : 0 };
    });
}
