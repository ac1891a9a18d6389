// Servers that answer as no health check should have to expect.
import type { Socket } from "node:net";
import { type Backend, manualClock, startBackend } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { allClosed, at, formatVerdict, http, probeOnce, startFakeHttp } from "../../test/probing.js";
import { autoProbe } from "./auto.js";
import { etcdProbe } from "./etcd.js";
import { httpProbe } from "./http.js";

/** A server that answers whatever it is asked, at the first byte, with this. */
function startAnswering(answer: (socket: Socket) => unknown): Promise<Backend> {
  return startBackend(socket => socket.once("data", () => answer(socket)));
}

const flood = Buffer.alloc(256 * 1024, "x");

describe("a server that answers with", () => {
  test.each<[what: string, answer: (socket: Socket) => unknown, says: string | RegExp]>([
    [
      "a body without end",
      socket => socket.write(`HTTP/1.1 200 OK\r\n\r\n${flood}`),
      "[unhealthy] its answer is larger than 64 KiB",
    ],
    [
      "a body that is announced as too large",
      socket => socket.write(`HTTP/1.1 503 No\r\nContent-Length: 9999999999\r\n\r\n${flood}`),
      "[unhealthy] its answer is larger than 64 KiB",
    ],
    [
      "headers without end",
      socket => socket.write(`HTTP/1.1 200 OK\r\nX: ${flood}`),
      "[unhealthy] the headers of its answer do not end",
    ],
    [
      "a header after the other",
      socket => socket.write(`HTTP/1.1 200 OK\r\n${"A: b\r\n".repeat(20_000)}`),
      "[unhealthy] the headers of its answer do not end",
    ],
    [
      "a switch of protocols",
      socket => socket.write("HTTP/1.1 101 Yes\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
      "[unhealthy] it answers with another protocol",
    ],
    [
      "another protocol",
      socket => socket.write("SSH-2.0-OpenSSH_9.2\r\n"),
      /^\[unhealthy\] its answer is not HTTP \(HPE_\w+\)$/,
    ],
    [
      "two lengths",
      socket => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
      /^\[unhealthy\] its answer is not HTTP \(HPE_\w+\)$/,
    ],
    ["nothing, and closes the connection", socket => socket.end(), "[reset] connection reset (ECONNRESET)"],
    [
      "half of what it announced, and closes the connection",
      socket => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
      "[reset] connection reset (ECONNRESET)",
    ],
    [
      "a redirect",
      socket => socket.write(http(301, "", "Location: http://127.0.0.1:1/health")),
      "[unhealthy] it answers with a redirect, which is not followed (301)",
    ],
    ["a refusal", socket => socket.write(http(503, "")), "[unhealthy] it answers with a refusal (503)"],
  ])("%s is not well by HTTP, and loses its connection", async (_, answer, says) => {
    await using server = await startAnswering(answer);
    const probe = httpProbe();
    const { error, check, scope } = await probeOnce(probe, at(server.port, false));
    const message = error?.message.replace(/probe \S+: /, "") ?? "";
    if (typeof says === "string") expect(message).toBe(says);
    else expect(message).toMatch(says);
    expect([check, scope]).toEqual(["http", "endpoint"]);
    probe.close();
    await allClosed(server);
  });

  test.each<[what: string, answer: (socket: Socket) => unknown, byEtcd: string, byAuto: string]>([
    [
      "another protocol",
      socket => socket.write("220 ready\r\n"),
      "etcd endpoint [unhealthy] its answer is not HTTP (HPE_INVALID_CONSTANT)",
      "tcp",
    ],
    [
      "nothing, and closes the connection",
      socket => socket.end(),
      "etcd endpoint [reset] ",
      "tcp cluster [reset] it ended the connection before it sent a byte",
    ],
    [
      "a body without end",
      socket => socket.write(`HTTP/1.1 200 OK\r\n\r\n${flood}`),
      "etcd endpoint [unhealthy] its answer is larger than 64 KiB",
      "tcp",
    ],
    [
      "words of HTTP that are not etcd's",
      socket => socket.on("data", () => socket.write(http(404, "no"))).emit("data"),
      "tcp: it does not answer as etcd does",
      "tcp",
    ],
  ])("%s is no etcd", async (_, answer, byEtcd, byAuto) => {
    await using server = await startAnswering(answer);
    const [etcd, auto] = [etcdProbe(), autoProbe()];
    expect(formatVerdict(await probeOnce(etcd, at(server.port, false)))).toContain(byEtcd);
    expect(formatVerdict(await probeOnce(auto, at(server.port, false)))).toBe(byAuto);
    etcd.close();
    auto.close();
    await allClosed(server);
  });
});

test("the reason that a server gives is reported in one line, without control characters, and not endless", async () => {
  const reason = `\u001b[31m\n${"x".repeat(10_000)}`;
  await using server = await startFakeHttp(path =>
    path.startsWith("/health") ? http(503, JSON.stringify({ health: "false", reason })) : http(404, ""),
  );
  const probe = etcdProbe();
  const { error } = await probeOnce(probe, at(server.port));
  expect(error?.message).toMatch(
    /^\[unhealthy\] probe 127\.0\.0\.1:\d+: it reports .* \("\\u001b\[31m\\nx+…"\)$/,
  );
  probe.close();
});

describe("a server that", () => {
  test.each([
    ["does not begin to answer", undefined],
    ["does not come to the end of its headers", "HTTP/1.1 200 OK\r\nContent-"],
    ["does not come to the end of its answer", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nslow"],
    ["sends interim answers only", "HTTP/1.1 100 Continue\r\n\r\n".repeat(3)],
  ])("%s is given up in time, with its connection", async (_, beginning) => {
    const clock = manualClock();
    await using server = await startFakeHttp(() => beginning);
    const probe = httpProbe({ clock, timeoutMs: 1_000 });
    const probing = probeOnce(probe, at(server.port, false));
    await expect.poll(() => server.asked.length).toBe(1);
    await clock.advance(1_000);
    expect(formatVerdict(await probing)).toBe("http endpoint [timed-out] no answer within 1000 ms");
    await allClosed(server);
    expect(clock.pending).toBe(0);
    probe.close();
  });

  test("accepts no connection is aborted in time", async () => {
    const clock = manualClock();
    const probe = httpProbe({ clock, timeoutMs: 1_000, dial: () => new Promise(() => {}) });
    const probing = probeOnce(probe, at(1, false));
    await clock.advance(1_000);
    expect(formatVerdict(await probing)).toBe("http endpoint [timed-out] no answer within 1000 ms");
    expect(clock.pending).toBe(0);
  });

  test("closes a kept connection is asked again on a new one, and not blamed", async () => {
    await using server = await startFakeHttp((_, socket) => {
      // After the answer, as late as can be: the next question and the end may cross.
      if (server.asked.length % 2 === 0) {
        socket.resetAndDestroy();
        return undefined;
      }
      return http(200, "ok");
    });
    const probe = httpProbe();
    for (let count = 0; count < 20; count++)
      expect(formatVerdict(await probeOnce(probe, at(server.port, false)))).toBe("http");
    probe.close();
    await allClosed(server);
  });
});

test("a check that is aborted rejects, and leaves nothing", async () => {
  const clock = manualClock();
  await using server = await startFakeHttp(() => undefined);
  for (const probe of [httpProbe({ clock }), etcdProbe({ clock }), autoProbe({ clock })]) {
    const controller = new AbortController();
    const before = server.asked.length;
    const probing = probe(at(server.port), controller.signal);
    const rejected = expect(probing).rejects.toMatchObject({ code: "aborted" });
    await expect.poll(() => server.asked.length).toBe(before + 1);
    controller.abort();
    await rejected;
    expect(clock.pending).toBe(0);
    await allClosed(server);
    await expect(probe(at(server.port), controller.signal)).rejects.toMatchObject({ code: "aborted" });
    probe.close();
  }
});
