import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connectTo, startBackend } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { allClosed, at, formatVerdict, http, probeOnce, startFakeHttp } from "../../test/probing.js";
import { autoProbe } from "./auto.js";
import { etcdProbe } from "./etcd.js";
import { httpProbe } from "./http.js";
import { tcpProbe } from "./tcp.js";
import { tlsProbe } from "./tls.js";

describe("by HTTP", () => {
  test.each([
    [200, "http"],
    [204, "http"],
    [299, "http"],
    [302, "http endpoint [unhealthy] it answers with a redirect, which is not followed (302)"],
    [401, "http endpoint [unhealthy] it answers with a refusal (401)"],
    [500, "http endpoint [unhealthy] it answers with a refusal (500)"],
  ])("an answer of %i", async (status, verdict) => {
    await using server = await startFakeHttp(() =>
      status === 204 ? "HTTP/1.1 204 No\r\n\r\n" : http(status, "words"),
    );
    const probe = httpProbe();
    for (let count = 0; count < 3; count++)
      expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe(verdict);
    expect(server.asked).toEqual(["/health", "/health", "/health"]);
    expect(server.accepted).toBe(1);
    probe.close();
    await allClosed(server);
  });

  test("the path, the port and the URL are those that were given, by a dial that was given", async () => {
    await using server = await startFakeHttp(() => http(200, ""));
    const { port } = server;
    const dialled: string[] = [];
    const dial = async ({ host, port }: { host: string; port: number }) => {
      dialled.push(`${host}:${port}`);
      return connectTo(server.port);
    };
    const endpoint = { ...at(1), host: "infra0" };
    for (const options of [
      { path: "/a", port },
      { url: `http://{host}:${port}/b?port={port}` },
      { path: "/c" },
    ]) {
      const probe = httpProbe({ dial, ...options });
      expect(formatVerdict(await probeOnce(probe, endpoint))).toBe("http");
      probe.close();
    }
    expect(server.asked).toEqual(["/a", "/b?port=1", "/c"]);
    expect(dialled).toEqual([`infra0:${port}`, `infra0:${port}`, "infra0:1"]);
  });

  test("no more than 32 connections are kept, of those that were asked last", async () => {
    await using server = await startFakeHttp(() => http(200, ""));
    const probe = httpProbe({ dial: () => connectTo(server.port) });
    const ask = async (number: number) => {
      const endpoint = { ...at(1), host: `e${number}` };
      expect(formatVerdict(await probeOnce(probe, endpoint))).toBe("http");
    };
    for (let number = 0; number < 40; number++) await ask(number);
    expect(server.accepted).toBe(40);
    for (let number = 8; number < 40; number++) await ask(number);
    expect(server.accepted).toBe(40);
    await ask(0);
    expect(server.accepted).toBe(41);
    probe.close();
    await allClosed(server);
  });

  test("a dial may give sockets as a proxy needs them, paused and half-open", async () => {
    const dial = async ({ port }: { port: number }): Promise<Socket> => {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }).pause();
      await once(socket, "connect");
      return socket;
    };
    await using server = await startFakeHttp(() => http(200, ""));
    await using hanging = await startBackend(socket => socket.once("data", () => socket.end()));
    const probe = httpProbe({ dial });
    expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe("http");
    expect(formatVerdict(await probeOnce(probe, at(hanging.port)))).toMatch(/\[reset\]/);
    probe.close();
  });

  test("an endpoint that closes each connection is asked on a new one each time", async () => {
    await using server = await startFakeHttp((_, socket) => {
      setImmediate(() => socket.end());
      return http(200, "", "Connection: close");
    });
    const probe = httpProbe();
    for (let count = 0; count < 3; count++)
      expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe("http");
    expect(server.accepted).toBe(3);
    probe.close();
  });

  test("no proxy of the environment is used", async () => {
    await using proxy = await startBackend();
    await using server = await startFakeHttp(() => http(200, ""));
    const names = ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "NODE_USE_ENV_PROXY"];
    try {
      for (const name of names)
        process.env[name] = name.startsWith("NODE") ? "1" : `http://127.0.0.1:${proxy.port}`;
      const probe = httpProbe();
      expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe("http");
      probe.close();
      expect(proxy.accepted).toBe(0);
    } finally {
      for (const name of names) delete process.env[name];
    }
  });
});

test("by TCP, what accepts a connection is healthy, and it is closed", async () => {
  await using server = await startBackend();
  expect(formatVerdict(await probeOnce(tcpProbe(), at(server.port)))).toBe("tcp");
  await allClosed(server);
  await server.stop();
  expect(formatVerdict(await probeOnce(tcpProbe(), at(server.port)))).toMatch(/^tcp endpoint \[refused\] /);
});

test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])(
  "a timeout of %d is refused by all probes",
  timeoutMs => {
    for (const make of [tcpProbe, tlsProbe, httpProbe, etcdProbe, autoProbe])
      expect(() => make({ timeoutMs })).toThrow(expect.objectContaining({ code: "invalid-option" }));
  },
);

test("a certificate without key is refused by all that may speak TLS", () => {
  for (const make of [tlsProbe, httpProbe, etcdProbe, autoProbe])
    expect(() => make({ key: "key" })).toThrow(expect.objectContaining({ code: "invalid-option" }));
});
