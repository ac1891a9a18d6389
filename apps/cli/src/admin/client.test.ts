import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@gw/testing";
import { expect, test } from "vitest";
import { startAdminStub } from "../../test/admin-stub.js";
import { adminAddrFlag } from "../flags/admin.js";
import { type AdminClient, createAdminClient, type StreamMessage } from "./client.js";

/** A client of an HTTP server that answers each request the same. */
async function clientOf(
  answer: (response: ServerResponse) => void,
): Promise<AsyncDisposable & { readonly client: AdminClient }> {
  const server = createServer((_, response) => answer(response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { readonly port: number };
  return {
    client: createAdminClient({ host: "127.0.0.1", port }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

test("a status that another program answers is an error in plain words", async () => {
  await using html = await clientOf(response => response.end("<html>"));
  await expect(html.client.status()).rejects.toThrow(/is not the admin server of a gateway/);
  await using other = await clientOf(response => response.end("{}"));
  await expect(other.client.status()).rejects.toThrow(/is not the admin server of a gateway/);
  await using none = await clientOf(response => response.writeHead(404).end("no\u001b[31m page\nat all"));
  await expect(none.client.status()).rejects.toThrow(/answers 404 "no\\u001b\[31m page"; it may not be/);
});

test.each([
  ["schema", 2],
  ["connections", undefined],
  ["endpoints", [{}]],
  ["inUse", null],
])("a status with a wrong %s names the field", async (field, value) => {
  await using stub = await startAdminStub();
  stub.status[field] = value;
  const client = createAdminClient(adminAddrFlag.parse(stub.address, undefined));
  await expect(client.status()).rejects.toThrow(new RegExp(`has no valid ${field}`));
});

test("an answer that never ends is cut off", async () => {
  await using endless = await clientOf(response => {
    const chunk = Buffer.alloc(1024 * 1024, " ");
    const more = (): void => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on("drain", more);
    more();
  });
  await expect(endless.client.status()).rejects.toThrow(/longer than 64 MB/);
});

test("what is not HTTP, or nothing at all, is an error in plain words", async () => {
  const sockets: Socket[] = [];
  const server = createTcpServer(socket => {
    sockets.push(socket);
    socket.on("error", () => {}).end("SSH-2.0-x\r\n");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { readonly port: number };
  const client = createAdminClient({ host: "127.0.0.1", port });
  await expect(client.status()).rejects.toThrow(/is not the admin server of a gateway/);
  for (const socket of sockets) socket.destroy();
  server.close();
  const nobody = createAdminClient({ host: "127.0.0.1", port: await freePort() });
  await expect(nobody.status()).rejects.toThrow(
    /nothing listens on 127.*: start the gateway with --admin-addr/,
  );
  const noFile = createAdminClient({ path: join(tmpdir(), "gw-no-such-socket") });
  await expect(noFile.status()).rejects.toThrow(/nothing listens on unix:/);
});

test("no address, or port 0, is bad usage", () => {
  expect(() => createAdminClient(undefined)).toThrow(/give --admin-addr or GW_ADMIN_ADDR/);
  expect(() => createAdminClient({ host: "::1", port: 0 })).toThrow(/port 0/);
});

test("what the gateway refuses is told in its words", async () => {
  await using stub = await startAdminStub();
  const client = createAdminClient(adminAddrFlag.parse(stub.address, undefined));
  stub.answer = () => [409, { error: "it is the last one" }];
  await expect(client.action("drain", { endpoint: "a:1" })).rejects.toMatchObject({
    code: "refused",
    detail: "it is the last one",
  });
  stub.answer = () => [403, { error: "no actions" }];
  await expect(client.action("refresh")).rejects.toMatchObject({ code: "not-permitted" });
  stub.answer = () => [200, { healthy: false, reason: "no leader" }];
  expect(await client.action("check", { endpoint: "a:1" })).toEqual({ healthy: false, reason: "no leader" });
});

test("the stream has statuses and events, and ends with its signal", async () => {
  await using stub = await startAdminStub();
  stub.events.push({ id: 1, at: "2026-01-01T00:00:00.000Z", event: "x", text: "é\u2028" });
  const client = createAdminClient(adminAddrFlag.parse(stub.address, undefined));
  const stop = new AbortController();
  const seen: StreamMessage["kind"][] = [];
  for await (const message of client.stream(stop.signal)) {
    seen.push(message.kind);
    if (seen.length === 2) stub.write(": comment\r\n\r\nevent: later\ndata: {}\n\nevent: status\rdata: ");
    if (seen.length === 2) stub.write(`${JSON.stringify(stub.status)}\r\n\r\n`);
    if (seen.length === 3) stop.abort();
  }
  expect(seen).toEqual(["status", "event", "status"]);
});

test("a stream that the server ends is an error", async () => {
  await using ended = await clientOf(response => {
    response.writeHead(200, { "content-type": "text/event-stream" }).end();
  });
  const read = async (): Promise<void> => {
    for await (const _ of ended.client.stream(new AbortController().signal));
  };
  await expect(read()).rejects.toThrow(/has ended the stream/);
});
