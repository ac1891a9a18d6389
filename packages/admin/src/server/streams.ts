import { randomInt } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { RecordedEvent } from "../contract/events.js";
import type { AdminGateway } from "../contract/gateway.js";
import { commonHeaders } from "./answer.js";
import { firstEvents, maxStreamBuffer, maxStreams, statusIntervalMs, streamStallMs } from "./limits.js";

/** The clients of `GET /stream`. */
export interface Streams {
  /** Whether there are {@link maxStreams} already. */
  readonly full: boolean;
  /** Begins a stream of server-sent events. It ends with its connection. @throws what the gateway throws; then nothing is sent */
  add(request: IncomingMessage, response: ServerResponse): void;
  /** Sends `event: bye` to all and ends them. */
  close(): void;
}

interface Stream {
  readonly response: ServerResponse;
  /** Since when bytes wait for the client, by `performance.now()`; undefined if none do. */
  waitingSince: number | undefined;
  /** Bytes of events since then. */
  waitingBytes: number;
}

/**
 * Sends a status once a second and each event as it is recorded. The status is made once for all streams, and only while
 * there are any. A client that reads slowly misses status messages first, then its stream is closed; it gets the events
 * that it has missed when it connects again.
 *
 * @param onError is notified of what the gateway throws while streams are open
 */
export function createStreams(gateway: AdminGateway, onError: (error: unknown) => void): Streams {
  const streams = new Set<Stream>();
  // Event ids begin again when a gateway restarts. Those of another run must not look like ours.
  const run = randomInt(2 ** 47).toString(36);
  let stop: (() => void) | undefined;

  const sendStatus = (): void => {
    for (const stream of streams) if (isStalled(stream)) stream.response.destroy();
    try {
      const message = statusMessage(gateway);
      for (const stream of streams) if (stream.waitingSince === undefined) write(stream, message, 0);
    } catch (error) {
      onError(error);
      for (const stream of streams) if (stream.waitingSince === undefined) write(stream, statusFailed, 0);
    }
  };
  const sendEvent = (event: RecordedEvent): void => {
    if (streams.size === 0) return;
    const message = Buffer.from(eventMessage(run, event));
    for (const stream of streams) write(stream, message, message.length);
  };
  const start = (): (() => void) => {
    const off = gateway.onEvent(sendEvent);
    const timer = setInterval(sendStatus, statusIntervalMs).unref();
    return () => {
      clearInterval(timer);
      off();
    };
  };

  return {
    get full() {
      return streams.size >= maxStreams;
    },
    add(request, response) {
      const first =
        request.method === "HEAD" ? "" : firstMessages(gateway, run, request.headers["last-event-id"]);
      response.writeHead(200, { ...commonHeaders, Connection: "close", "Content-Type": "text/event-stream" });
      if (request.method === "HEAD") {
        response.end();
        return;
      }
      const stream: Stream = { response, waitingSince: undefined, waitingBytes: 0 };
      streams.add(stream);
      stop ??= start();
      response.once("close", () => {
        streams.delete(stream);
        if (streams.size > 0) return;
        stop?.();
        stop = undefined;
      });
      write(stream, Buffer.from(first), 0);
    },
    close() {
      for (const { response } of streams)
        response.end('event: bye\ndata: {"reason":"the gateway stops"}\n\n');
    },
  };
}

/** A comment: it keeps the stream alive. */
const statusFailed: Buffer = Buffer.from(": the status cannot be shown\n\n");

function firstMessages(gateway: AdminGateway, run: string, lastEventId: unknown): string {
  const { events } = gateway.events();
  const missed = eventsSince(events, lastIdOf(run, lastEventId)) ?? events.slice(-firstEvents);
  const status = statusMessage(gateway).toString();
  return `retry: 1000\n\n${status}${missed.map(event => eventMessage(run, event)).join("")}`;
}

/**
 * The last event that the client has is sent again: its count may have grown. Undefined if the client has none of this run.
 */
function eventsSince(
  events: readonly RecordedEvent[],
  last: number | undefined,
): readonly RecordedEvent[] | undefined {
  return last === undefined ? undefined : events.filter(({ id }) => id >= last);
}

function lastIdOf(run: string, header: unknown): number | undefined {
  const [given, id = ""] = typeof header === "string" ? header.split(".") : [];
  return given === run && /^\d{1,15}$/.test(id) ? Number(id) : undefined;
}

function statusMessage(gateway: AdminGateway): Buffer {
  return Buffer.from(`event: status\ndata: ${JSON.stringify(gateway.status())}\n\n`);
}

function eventMessage(run: string, event: RecordedEvent): string {
  return `event: event\nid: ${run}.${event.id}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** @param bytes how many of them count against {@link maxStreamBuffer} */
function write(stream: Stream, message: Buffer, bytes: number): void {
  const { response } = stream;
  if (response.destroyed || response.writableEnded) return;
  stream.waitingBytes += bytes;
  if (stream.waitingBytes > maxStreamBuffer) {
    response.destroy();
    return;
  }
  stream.waitingSince ??= performance.now();
  response.write(message, () => {
    if (response.writableLength > 0) return;
    stream.waitingSince = undefined;
    stream.waitingBytes = 0;
  });
}

function isStalled({ waitingSince }: Stream): boolean {
  return waitingSince !== undefined && performance.now() - waitingSince > streamStallMs;
}
