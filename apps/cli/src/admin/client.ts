import { type IncomingMessage, request } from "node:http";
import type { ConnectionsAnswer, EventsAnswer, RecordedEvent, Status } from "@gw/admin";
import { formatAddress, GatewayError, messageOf, quote, startTimeout, systemClock } from "@gw/interface";
import { type AdminAddress, formatAdminAddress } from "../flags/admin.js";
import { readConnections, readEvent, readEvents, readStatus } from "./answers.js";
import { type ServerSentEvent, serverSentEvents } from "./server-sent-events.js";

/** How long the server may take to answer, in milliseconds. */
const answerTimeoutMs = 10_000;
/** The same for an action: a deep health check takes as long as `--health-timeout`. */
const actionTimeoutMs = 60_000;
/** A stream that is silent for longer is taken for lost, in milliseconds: it has a status each second. */
const silenceTimeoutMs = 10_000;
/** The largest answer, and the largest message of a stream, in bytes. */
const maxAnswerBytes = 64 * 1024 * 1024;

/** A message of the stream: where the gateway stands, once a second, or something that happened. */
export type StreamMessage =
  | { readonly kind: "status"; readonly status: Status }
  | { readonly kind: "event"; readonly event: RecordedEvent };

/** What an action may be: the last part of its path. */
type ActionName = "drain" | "down" | "undrain" | "check" | "refresh" | "log-level";

/** What the answer to an action has; `check` says whether the endpoint is healthy. */
interface ActionAnswer {
  readonly healthy?: boolean | undefined;
  readonly reason?: string | undefined;
}

/** Optional bound of one request. */
interface RequestOptions {
  /** Cancels the request, which then rejects with `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Talks to the admin server of a gateway. Each call is one connection of its own, and bounded in time and size. All errors
 * are GatewayErrors whose details are sentences for operators; `refused` is what the gateway refuses to do, `not-permitted`
 * an action without `--admin-actions`, `unreachable` a server that is not there.
 */
export interface AdminClient {
  /** The address as flags have it. */
  readonly name: string;
  status(options?: RequestOptions): Promise<Status>;
  events(options?: RequestOptions): Promise<EventsAnswer>;
  connections(
    query?: { readonly after?: number; readonly limit?: number; readonly endpoint?: string },
    options?: RequestOptions,
  ): Promise<ConnectionsAnswer>;
  action(
    name: ActionName,
    parameters?: { readonly [name: string]: string },
    options?: RequestOptions,
  ): Promise<ActionAnswer>;
  /** Statuses and events until `signal` is aborted, then it ends; it throws where the server ends it. */
  stream(signal: AbortSignal): AsyncIterable<StreamMessage>;
}

/** @throws {GatewayError} `invalid-option` if no address is given, or it has no port */
export function createAdminClient(address: AdminAddress | undefined): AdminClient {
  if (address === undefined)
    throw new GatewayError(
      "invalid-option",
      "no address of a gateway's admin server: give --admin-addr or GW_ADMIN_ADDR, as to gw start",
    );
  if (!("path" in address) && address.port === 0)
    throw new GatewayError("invalid-option", "--admin-addr has port 0: give the port that gw start logs");
  const server = new Server(address);
  return {
    name: server.name,
    status: async options => readStatus(await server.get("/status", options), server.name),
    events: async options => readEvents(await server.get("/events", options), server.name),
    connections: async (query = {}, options) =>
      readConnections(await server.get(`/connections${queryOf(query)}`, options), server.name),
    action: async (name, parameters = {}, options) => {
      const answer = await server.post(`/actions/${name}${queryOf(parameters)}`, options);
      const { healthy, reason } = (answer ?? {}) as { healthy?: unknown; reason?: unknown };
      return {
        ...(typeof healthy === "boolean" && { healthy }),
        ...(typeof reason === "string" && { reason }),
      };
    },
    stream: signal => server.stream(signal),
  };
}

function queryOf(parameters: { readonly [name: string]: string | number | undefined }): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) query.append(name, String(value));
  return query.size === 0 ? "" : `?${query}`;
}

interface Exchange {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
}

class Server {
  readonly name: string;
  readonly #target: { readonly socketPath: string } | { readonly host: string; readonly port: number };
  readonly #host: string;

  constructor(address: AdminAddress) {
    this.name = formatAdminAddress(address);
    this.#target = "path" in address ? { socketPath: address.path } : reachable(address);
    this.#host = "path" in address ? "localhost" : formatAddress(reachable(address));
  }

  get(path: string, { signal }: RequestOptions = {}): Promise<unknown> {
    return this.#json({ method: "GET", path, signal }, answerTimeoutMs);
  }

  post(path: string, { signal }: RequestOptions = {}): Promise<unknown> {
    return this.#json({ method: "POST", path, signal }, actionTimeoutMs);
  }

  async *stream(signal: AbortSignal): AsyncGenerator<StreamMessage> {
    const ended = new AbortController();
    const both = AbortSignal.any([signal, ended.signal]);
    const silent = new GatewayError("timed-out", `${this.name} is silent`);
    const watch = (): (() => void) => startTimeout(systemClock, silenceTimeoutMs, () => ended.abort(silent));
    let stopWatch = watch();
    try {
      const response = await this.#send({ method: "GET", path: "/stream", signal: both });
      if (response.statusCode !== 200) throw await this.#failure(response);
      if (!/^text\/event-stream\b/.test(response.headers["content-type"] ?? "")) throw notGw(this.name);
      const chunks = response.setEncoding("utf8") as AsyncIterable<string>;
      for await (const one of serverSentEvents(chunks, maxAnswerBytes)) {
        stopWatch();
        const message = one === undefined ? undefined : this.#message(one);
        if (message) yield message;
        stopWatch = watch();
      }
      throw new GatewayError("reset", `${this.name} has ended the stream`);
    } catch (error) {
      if (signal.aborted) return;
      throw ended.signal.aborted ? silent : this.#explain(error);
    } finally {
      stopWatch();
      ended.abort();
    }
  }

  #message({ event, data }: ServerSentEvent): StreamMessage | undefined {
    if (event === "status") return { kind: "status", status: readStatus(this.#parse(data), this.name) };
    if (event === "event") return { kind: "event", event: readEvent(this.#parse(data), this.name) };
    // Of a newer gateway.
    return undefined;
  }

  async #json(exchange: Exchange, timeoutMs: number): Promise<unknown> {
    const late = new AbortController();
    const reason = new GatewayError("timed-out", `${this.name} does not answer within ${timeoutMs / 1000} s`);
    const stop = startTimeout(systemClock, timeoutMs, () => late.abort(reason));
    const signals = [late.signal, ...(exchange.signal ? [exchange.signal] : [])];
    try {
      const response = await this.#send({ ...exchange, signal: AbortSignal.any(signals) });
      if (response.statusCode !== 200) throw await this.#failure(response);
      return this.#parse(await this.#text(response));
    } catch (error) {
      if (exchange.signal?.aborted) throw new GatewayError("aborted", "the request was cancelled");
      throw late.signal.aborted ? reason : this.#explain(error);
    } finally {
      stop();
    }
  }

  #send({ method, path, signal }: Exchange): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      // Without an agent: no connection outlives its request, and none is shared.
      const options = { ...this.#target, method, path, agent: false, signal } as const;
      const headers = {
        host: this.#host,
        ...(method === "POST" && { "x-gw-action": "1", "content-length": 0 }),
      };
      const sent = request({ ...options, headers }, resolve);
      // Also after the answer, where the answer itself fails with the same error.
      sent.on("error", reject);
      sent.end();
    });
  }

  async #text(response: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxAnswerBytes)
        throw new GatewayError("unhealthy", `the answer of ${this.name} is longer than 64 MB`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      throw notGw(this.name);
    }
  }

  /** What an answer other than 200 means: JSON of an action, or a line of text. */
  async #failure(response: IncomingMessage): Promise<GatewayError> {
    const { statusCode = 0 } = response;
    const body = await this.#text(response);
    const error = errorIn(body);
    if (error === undefined) {
      const [line = ""] = body.trim().split("\n", 1);
      const answer = `${this.name} answers ${statusCode} ${quote(line)}`;
      const hint = statusCode === 404 ? "; it may not be the admin server of a gateway" : "";
      return new GatewayError("unhealthy", answer + hint);
    }
    if (statusCode === 403) return new GatewayError("not-permitted", error);
    return new GatewayError(statusCode >= 500 ? "unhealthy" : "refused", error);
  }

  #explain(error: unknown): GatewayError {
    if (error instanceof GatewayError) return error;
    const code = (error as NodeJS.ErrnoException | null)?.code ?? "";
    const { name } = this;
    if (code === "ECONNREFUSED" || code === "ENOENT")
      return new GatewayError(
        "unreachable",
        `nothing listens on ${name}: start the gateway with --admin-addr=${name}`,
      );
    if (code === "EACCES" || code === "EPERM")
      return new GatewayError("not-permitted", `${name} must not be opened by this user`);
    if (code === "ENOTFOUND" || code === "EAI_AGAIN")
      return new GatewayError("name-not-resolved", `the host of ${name} is not found`);
    // The parser of Node: what answers does not speak HTTP.
    if (code.startsWith("HPE_") || code === "ENOTSOCK" || code === "EPROTOTYPE") return notGw(name);
    if (code === "ECONNRESET" || code === "EPIPE")
      return new GatewayError("reset", `${name} has closed the connection without an answer`);
    return new GatewayError("unreachable", `${name} cannot be reached: ${messageOf(error)}`);
  }
}

/** The `error` of an answer in JSON. */
function errorIn(text: string): string | undefined {
  try {
    const { error } = Object(JSON.parse(text)) as { readonly error?: unknown };
    return typeof error === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}

/** What all addresses of this machine mean to a client. */
function reachable({ host, port }: { readonly host: string; readonly port: number }): {
  readonly host: string;
  readonly port: number;
} {
  if (host === "0.0.0.0") return { host: "127.0.0.1", port };
  return host === "::" ? { host: "::1", port } : { host, port };
}

function notGw(name: string): GatewayError {
  return new GatewayError("unhealthy", `what answers on ${name} is not the admin server of a gateway`);
}
