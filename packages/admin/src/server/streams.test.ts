import { once } from "node:events";
import { type IncomingMessage, get as request } from "node:http";
import { connectTo } from "@gw/testing";
import { expect, test, vi } from "vitest";
import { sampleEvent, sampleStatus } from "../../test/sample.js";
import { get, type Started, startAdmin } from "../../test/start.js";
import type { RecordedEvent } from "../contract/events.js";
import { maxStreamBuffer, maxStreams, statusIntervalMs, streamStallMs } from "./limits.js";

interface Message {
  readonly event?: string;
  readonly id?: string;
  readonly data?: string;
}

/** A client of the stream of `admin`, which reads messages one by one. */
async function openStream(admin: Started, headers: Record<string, string> = {}) {
  const asked = request(`${admin.url}/stream`, { headers, agent: false });
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  response.setEncoding("utf8");
  const chunks = response[Symbol.asyncIterator]();
  let text = "";
  return {
    response,
    /** The next message; undefined at the end. */
    async next(): Promise<Message | undefined> {
      for (;;) {
        const end = text.indexOf("\n\n");
        if (end >= 0) {
          const lines = text.slice(0, end).split("\n");
          text = text.slice(end + 2);
          return Object.fromEntries(lines.map(line => line.split(/: (.*)/s).slice(0, 2)));
        }
        const chunk = await chunks.next().catch(() => ({ done: true, value: "" }));
        if (chunk.done) return undefined;
        text += chunk.value;
      }
    },
    [Symbol.dispose]: () => void asked.destroy(),
  };
}

/** A source of events for a gateway. */
function eventSource(count: number) {
  const listeners = new Set<(event: RecordedEvent) => void>();
  const events = Array.from({ length: count }, (_, index) => sampleEvent(index + 1));
  return {
    listeners,
    emit(event: RecordedEvent) {
      for (const listener of listeners) listener(event);
    },
    gateway: {
      events: () => ({ schema: 1 as const, events, dropped: 0 }),
      onEvent(listener: (event: RecordedEvent) => void) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
  };
}

test("begins with a status and the last hundred events, and then sends each", async () => {
  const source = eventSource(150);
  await using admin = await startAdmin(source.gateway);
  using stream = await openStream(admin);
  expect(stream.response.headers["content-type"]).toBe("text/event-stream");
  expect(await stream.next()).toEqual({ retry: "1000" });
  const status = await stream.next();
  expect(status?.event).toBe("status");
  expect(JSON.parse(status?.data ?? "")).toEqual(sampleStatus());
  for (let id = 51; id <= 150; id += 1) {
    const message = await stream.next();
    expect([message?.event, JSON.parse(message?.data ?? "")]).toEqual(["event", sampleEvent(id)]);
  }
  source.emit({ ...sampleEvent(151), text: "line\nbreak\u2028" });
  const message = await stream.next();
  expect(JSON.parse(message?.data ?? "")).toEqual({ ...sampleEvent(151), text: "line\nbreak\u2028" });
  expect((await stream.next())?.event).toBe("status");
});

test("a client that comes back gets what it has missed, however much that is", async () => {
  const source = eventSource(300);
  await using admin = await startAdmin(source.gateway);
  const ids = async (lastEventId: string) => {
    using stream = await openStream(admin, { "last-event-id": lastEventId });
    await stream.next();
    await stream.next();
    const first = await stream.next();
    return [first?.id, JSON.parse(first?.data ?? "").id];
  };
  const [id = "", first] = await ids("");
  expect(first).toBe(201);
  // The last one that it has is sent again, since its count may have grown.
  expect((await ids(id.replace(".201", ".12")))[1]).toBe(12);
  // Of another gateway, or malformed.
  for (const foreign of ["other.12", "12", ".", "<script>", `${id}x`])
    expect((await ids(foreign))[1]).toBe(201);
});

test("all streams share one status a second, and none is made without a stream", async () => {
  let made = 0;
  const source = eventSource(0);
  const status = () => {
    made += 1;
    return sampleStatus();
  };
  await using admin = await startAdmin({ ...source.gateway, status });
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  try {
    const streams = await Promise.all([openStream(admin), openStream(admin), openStream(admin)]);
    for (const stream of streams) {
      await stream.next();
      await stream.next();
    }
    expect([made, source.listeners.size, vi.getTimerCount()]).toEqual([3, 1, 1]);
    vi.advanceTimersByTime(statusIntervalMs);
    for (const stream of streams) expect((await stream.next())?.event).toBe("status");
    expect(made).toBe(4);
    for (const stream of streams) stream[Symbol.dispose]();
    await expect.poll(() => source.listeners.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("HEAD answers the headers, and at the limit more streams are refused", async () => {
  await using admin = await startAdmin();
  expect((await fetch(`${admin.url}/stream`, { method: "HEAD" })).status).toBe(200);
  const streams = await Promise.all(Array.from({ length: maxStreams }, () => openStream(admin)));
  const refused = await fetch(`${admin.url}/stream`);
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"]);
  expect((await fetch(`${admin.url}/status`)).status).toBe(200);
  for (const stream of streams) stream[Symbol.dispose]();
  await expect
    .poll(async () => {
      using stream = await openStream(admin);
      return stream.response.statusCode;
    })
    .toBe(200);
});

test("a status that fails leaves the stream open", async () => {
  let failing = false;
  const source = eventSource(0);
  await using admin = await startAdmin({
    ...source.gateway,
    status() {
      if (failing) throw new Error("no status");
      return sampleStatus();
    },
  });
  using stream = await openStream(admin);
  await stream.next();
  await stream.next();
  failing = true;
  expect(await stream.next()).toEqual({ "": "the status cannot be shown" });
  source.emit(sampleEvent(1));
  expect((await stream.next())?.event).toBe("event");
  expect(admin.errors).toEqual(["[unknown] answer a request to the admin server: no status"]);
});

test("a stream whose events cannot be followed is closed", async () => {
  await using admin = await startAdmin({
    onEvent() {
      throw new Error("no events");
    },
  });
  await expect(openStream(admin)).rejects.toThrow("socket hang up");
  expect(admin.errors).toEqual(["[unknown] answer a request to the admin server: no events"]);
});

test("a client that does not read misses statuses, and is then disconnected", async () => {
  const big = sampleStatus({
    options: Array.from({ length: 10_000 }, () => ({
      flag: "f".repeat(1000),
      value: "v",
      from: "flag" as const,
    })),
  });
  let made = 0;
  let firstClosed = 0;
  const source = eventSource(0);
  await using admin = await startAdmin({
    ...source.gateway,
    status() {
      made += 1;
      return big;
    },
  });
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  try {
    const socket = await connectTo(admin.port);
    socket.pause().once("close", () => (firstClosed += 1));
    socket.write(get("/stream"));
    await expect.poll(() => source.listeners.size).toBe(1);
    vi.advanceTimersByTime(streamStallMs);
    // The stream is still open, and has got one status of ten.
    expect([made, source.listeners.size]).toEqual([11, 1]);
    vi.advanceTimersByTime(statusIntervalMs);
    await expect.poll(() => source.listeners.size).toBe(0);
    socket.destroy();
  } finally {
    vi.useRealTimers();
  }
});

test("a client that does not read events is disconnected at the limit of its buffer", async () => {
  const big = sampleStatus({
    options: Array.from({ length: 10_000 }, () => ({
      flag: "f".repeat(1000),
      value: "v",
      from: "flag" as const,
    })),
  });
  const source = eventSource(0);
  await using admin = await startAdmin({ ...source.gateway, status: () => big });
  const socket = await connectTo(admin.port);
  socket.pause().write(get("/stream"));
  await expect.poll(() => source.listeners.size).toBe(1);
  const event = { ...sampleEvent(1), text: "x".repeat(1024) };
  for (let sent = 0; sent < maxStreamBuffer; sent += 1024) source.emit(event);
  await expect.poll(() => source.listeners.size).toBe(0);
  socket.destroy();
});

test("at the end of the server a stream says bye", async () => {
  await using admin = await startAdmin();
  using stream = await openStream(admin);
  await stream.next();
  const closed = admin.close();
  const seen: (string | undefined)[] = [];
  for (let message = await stream.next(); message; message = await stream.next()) seen.push(message.event);
  expect(seen.at(-1)).toBe("bye");
  await closed;
});
