import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatAddress, type GatewayErrorCode, type ListenTarget, type Observer } from "@gw/interface";
import { echo, outcome, queue, startBackend } from "@gw/testing";
import { test as everywhere, expect } from "vitest";
import { createProxy, inOrder, jsRelay } from "./index.js";

const test = everywhere.skipIf(process.platform === "win32");

async function folder(): Promise<AsyncDisposable & { readonly path: string }> {
  const name = await mkdtemp(join(tmpdir(), "gw-listen-"));
  return {
    path: join(name, "gw.sock"),
    [Symbol.asyncDispose]: () => rm(name, { recursive: true }),
  };
}

const proxyAt = (target: ListenTarget, observer: Observer = {}, endpoints = inOrder([])) =>
  createProxy({ listen: [target], pool: endpoints, observer });

/** Leaves a socket file on which nobody listens, as a process does that is killed. */
async function leaveSocket(path: string): Promise<void> {
  const script = `require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
  const killed = spawn(process.execPath, ["-e", script, path], { stdio: "ignore" });
  await once(killed, "exit");
}

async function asks(client: Socket): Promise<string> {
  client.end("hello");
  return String((await outcomeAt(client)).received);
}

/** As `outcome`, for sockets of which the system knows no peer. */
async function outcomeAt(client: Socket): Promise<{ readonly received: Buffer }> {
  const chunks: Buffer[] = [];
  for await (const chunk of client) chunks.push(chunk as Buffer);
  return { received: Buffer.concat(chunks) };
}

test("a proxy listens at a path, where a killed process has left its socket, and removes the file", async () => {
  await using place = await folder();
  await using backend = await startBackend(echo);
  await leaveSocket(place.path);
  expect((await stat(place.path)).isSocket()).toBe(true);
  const closed = queue<Parameters<NonNullable<Observer["closed"]>>[0]>();
  {
    await using proxy = proxyAt(place, { closed: closed.put }, inOrder([backend.address]));
    const addresses = await proxy.listen();
    expect(addresses.map(formatAddress)).toEqual([`unix:${place.path}`]);
    expect(proxy.addresses).toEqual([{ host: `unix:${place.path}`, port: 0 }]);
    expect(await asks(connect({ path: place.path, allowHalfOpen: true }))).toBe("hello");
    expect(await closed.take()).toMatchObject({
      client: { host: "unix:", port: 0 },
      listener: `unix:${place.path}`,
      reason: "finished",
    });
  }
  expect(existsSync(place.path)).toBe(false);
});

test("a path on which a process listens is in use, and a file that is no socket is left alone", async () => {
  await using place = await folder();
  await using first = proxyAt(place);
  await first.listen();
  await using second = proxyAt(place);
  await expect(second.listen()).rejects.toMatchObject({
    code: "address-in-use",
    detail: expect.stringContaining(`listen on unix:${place.path}`),
  });
  await first.close({ graceMs: 0 });
  await writeFile(place.path, "precious");
  await using third = proxyAt(place);
  await expect(third.listen()).rejects.toMatchObject({
    code: "address-in-use",
    detail: `listen on unix:${place.path}: the file there is not a socket`,
  });
  expect((await stat(place.path)).size).toBe(8);
});

test("errors of a path in a folder that is missing name it", async () => {
  await using proxy = proxyAt({ path: "/nowhere/gw.sock" });
  await expect(proxy.listen()).rejects.toThrow("listen on unix:/nowhere/gw.sock");
});

test.each<[ListenTarget, string]>([
  [{ path: "" }, 'path "" is not a path'],
  [{ path: "a\0b" }, "is not a path"],
  [{ path: `/${"x".repeat(108)}` }, "path has 109 bytes, more than the"],
  [{ fd: -1 }, "fd -1 is not a file descriptor"],
  [{ fd: 1.5 }, "fd 1.5 is not a file descriptor"],
])("%o is no target", (target, message) => {
  expect(() => proxyAt(target)).toThrow(message);
});

test("a relay that takes no sockets is given none", () => {
  const relay = { name: "plain", listen: jsRelay().listen };
  expect(() => createProxy({ listen: [{ fd: 3 }], pool: inOrder([]), relay })).toThrow(
    "the relay plain takes no paths and file descriptors",
  );
});

test.each<[number, GatewayErrorCode, string]>([
  [9_999, "invalid-option", "listen on descriptor 9999: it is not open"],
  [0, "invalid-option", "listen on descriptor 0: it "],
])("descriptor %i cannot be listened on", async (fd, code, message) => {
  await using proxy = proxyAt({ fd });
  await expect(proxy.listen()).rejects.toMatchObject({ code, detail: expect.stringContaining(message) });
});

/** Runs a proxy with a socket that it inherits; as a service manager starts one. */
function startInherited(fd: number, port: number): ChildProcess {
  const script = `
    const { createProxy, inOrder } = await import(${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)});
    const proxy = createProxy({ listen: [{ fd: 3 }], pool: inOrder([{ host: "127.0.0.1", port: ${port} }]) });
    const [address] = await proxy.listen();
    console.log(JSON.stringify(address));
    process.once("SIGTERM", () => proxy.close({ graceMs: 1_000 }));`;
  const args = ["--input-type=module", "--eval", script];
  const { NODE_OPTIONS: _, ...env } = process.env;
  return spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit", fd] });
}

test("a socket that was passed on outlives the proxy", async () => {
  await using backend = await startBackend(echo);
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { readonly port: number };
  const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } })._handle;
  // As when a service is restarted: the new one has the socket as well.
  const proxies = [startInherited(fd, backend.address.port), startInherited(fd, backend.address.port)];
  try {
    for (const one of proxies) {
      const [line] = await once(one.stdout as NonNullable<typeof one.stdout>, "data");
      expect(JSON.parse(String(line))).toEqual({ host: "127.0.0.1", port });
    }
    server.close();
    for (const one of proxies) {
      const client = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      client.end("hello");
      expect(await outcome(client)).toMatchObject({ received: Buffer.from("hello") });
      one.kill("SIGTERM");
      expect(await once(one, "exit")).toEqual([0, null]);
    }
  } finally {
    for (const one of proxies) one.kill("SIGKILL");
  }
});
