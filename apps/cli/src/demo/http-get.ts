import { get } from "node:http";
import type { Address } from "@gw/interface";

/** The answer to a GET, body included. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * One GET on a connection of its own, which is closed afterwards: behind a proxy it shows where a new
 * connection goes.
 *
 * @param options.silenceMs gives up when nothing is heard for this long
 * @throws the connection's error, or `signal`'s abort
 */
export function httpGet(
  { host, port }: Address,
  path: string,
  options: { readonly silenceMs: number; readonly signal: AbortSignal },
): Promise<Answer> {
  const { silenceMs, signal } = options;
  return new Promise((resolve, reject) => {
    const request = get({ host, port, path, agent: false, timeout: silenceMs, signal }, response => {
      let body = "";
      response.setEncoding("utf8").on("data", text => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      response.on("error", reject);
    });
    request.on("timeout", () => request.destroy(new Error(`no answer within ${silenceMs} ms`)));
    request.on("error", reject);
  });
}
