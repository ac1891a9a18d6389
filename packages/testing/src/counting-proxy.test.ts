import { once } from "node:events";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { startCountingProxy } from "./counting-proxy.js";
import { connectTo, echo, startBackend } from "./sockets.js";

test("requests on one kept connection are counted one by one, with bodies that look like requests", async () => {
  const server = createServer((incoming, response) => {
    incoming.resume().once("end", () => response.end("answer"));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  await using proxy = await startCountingProxy(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const send = async (method: string, path: string, body = ""): Promise<void> => {
    const [host, port] = proxy.address.split(":");
    const sent = request({ host, port, method, path, agent, headers: { "content-length": body.length } });
    sent.end(body);
    const [response] = await once(sent, "response");
    await once(response.resume(), "end");
  };
  await send("POST", "/v3/kv/put", "GET /health HTTP/1.1\r\n\r\n");
  await send("GET", "/health");
  await send("GET", "/health");
  await proxy.counted("GET /health", 2);
  expect(Object.fromEntries(proxy.requests)).toEqual({ "POST /v3/kv/put": 1, "GET /health": 2 });
  agent.destroy();
  server.close();
});

test("connections of other protocols are counted once, and passed on", async () => {
  await using backend = await startBackend(echo);
  await using proxy = await startCountingProxy(`127.0.0.1:${backend.port}`);
  for (const first of ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01", "hello\r\n\r\n"]) {
    const client = await connectTo(Number(proxy.address.split(":")[1]));
    client.write(first, "latin1");
    await once(client, "data");
    client.write("more\r\n\r\n");
    expect(String((await once(client, "data"))[0])).toBe("more\r\n\r\n");
    client.destroy();
  }
  expect(Object.fromEntries(proxy.requests)).toEqual({ "HTTP/2": 1, TLS: 1, other: 1 });
});
