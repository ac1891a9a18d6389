import { connectTo, echo, freePort, queue, startBackend, startBlackHole } from "@gw/testing";
import { expect, test } from "vitest";
import { createDialer } from "./index.js";

const endpoint = (host: string, port: number) => ({ host, port, priority: 0, weight: 0 });

test("the addresses of a name are tried one after the other, and the one that answers goes first next time", async () => {
  await using backend = await startBackend();
  let asked = 0;
  const dialer = createDialer({
    lookup: async () => {
      asked += 1;
      // 127.0.0.2 to 127.0.0.4 are this machine as well, but nothing listens there.
      return { addresses: ["127.0.0.2", "127.0.0.3", "127.0.0.1", "127.0.0.4"] };
    },
  });
  for (const _ of [1, 2]) {
    const socket = await dialer.dial(endpoint("etcd.test", backend.port));
    expect(socket.remoteAddress).toBe("127.0.0.1");
    socket.destroy();
  }
  expect(asked).toBe(1);
  expect(await dialer.resolve("etcd.test")).toEqual(["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]);
});

test("when no remembered address answers, the name is looked up again", async () => {
  await using backend = await startBackend();
  const answers = [["127.0.0.2"], ["127.0.0.2", "127.0.0.1"]];
  const dialer = createDialer({ lookup: async () => ({ addresses: answers.shift() ?? [] }) });
  const socket = await dialer.dial(endpoint("etcd.test", backend.port));
  expect(socket.remoteAddress).toBe("127.0.0.1");
  socket.destroy();
});

test("a dialled socket has read nothing and allows half-open use", async () => {
  await using backend = await startBackend(socket => socket.end("greeting"));
  const socket = await createDialer().dial(endpoint("127.0.0.1", backend.port));
  expect(socket.isPaused()).toBe(true);
  expect(socket.bytesRead).toBe(0);
  expect(socket.allowHalfOpen).toBe(true);
  socket.destroy();
});

test("failures have codes: refused, timed out, not resolved, look-up timed out", async () => {
  await using hole = await startBlackHole();
  const dialer = createDialer({ connectTimeoutMs: 100 });
  await expect(dialer.dial(endpoint("127.0.0.1", await freePort()))).rejects.toMatchObject({
    code: "refused",
  });
  await expect(dialer.dial(endpoint("127.0.0.1", hole.port))).rejects.toMatchObject({ code: "timed-out" });
  await expect(dialer.dial(endpoint("no-such-host.invalid", 2379))).rejects.toMatchObject({
    code: expect.stringMatching(/name-not-resolved|timed-out/),
  });
  const silent = createDialer({ connectTimeoutMs: 50, lookup: () => new Promise(() => {}) });
  await expect(silent.dial(endpoint("etcd.test", 2379))).rejects.toMatchObject({ code: "timed-out" });
});

test("an aborted dial is rejected with the reason and leaves no connection behind", async () => {
  await using hole = await startBlackHole();
  const giveUp = new AbortController();
  const dialled = createDialer().dial(endpoint("127.0.0.1", hole.port), { signal: giveUp.signal });
  giveUp.abort(new Error("enough"));
  await expect(dialled).rejects.toThrow("enough");
  await expect(
    createDialer().dial(endpoint("127.0.0.1", hole.port), { signal: giveUp.signal }),
  ).rejects.toThrow("enough");
});

test("IPv6 endpoints are dialled", async () => {
  const { createServer } = await import("node:net");
  const server = createServer(echo).listen(0, "::1");
  const listening = queue<void>();
  server.once("listening", () => listening.put());
  await listening.take();
  const { port } = server.address() as { port: number };
  const socket = await createDialer().dial(endpoint("::1", port));
  expect(socket.remoteAddress).toBe("::1");
  socket.destroy();
  (await connectTo(port, "::1")).destroy();
  server.close();
});

test("a timeout that is not positive is refused", () => {
  for (const connectTimeoutMs of [0, -1, Number.NaN])
    expect(() => createDialer({ connectTimeoutMs })).toThrow("is not positive");
});

test("after an address of a family that this machine does not have, the next is dialled", async () => {
  await using backend = await startBackend();
  // 2001:db8::/32 is for documentation: either there is no route to it, or no IPv6 at all.
  const lookup = async () => ({ addresses: ["2001:db8::1", "127.0.0.1"] });
  const socket = await createDialer({ connectTimeoutMs: 200, lookup }).dial(
    endpoint("etcd.test", backend.port),
  );
  expect(socket.remoteAddress).toBe("127.0.0.1");
  socket.destroy();
});

test("a name server that hangs neither delays nor hides the failure of a known address", async () => {
  const port = await freePort();
  const answers = [Promise.resolve({ addresses: ["127.0.0.1"] })];
  const dialer = createDialer({
    lookup: () => answers.shift() ?? new Promise(() => {}),
    connectTimeoutMs: 2 ** 30,
  });
  await expect(dialer.dial(endpoint("etcd.test", port))).rejects.toMatchObject({ code: "refused" });
});

test("an address that is avoided is not dialled, whichever proxy avoids it, until it is allowed again", async () => {
  await using backend = await startBackend();
  const { port } = backend.address;
  const dialer = createDialer({ lookup: async () => ({ addresses: ["127.0.0.1"] }) });
  const dialBoth = async (): Promise<readonly string[]> => {
    const dials = ["127.0.0.1", "etcd.test"].map(host => dialer.dial(endpoint(host, port)));
    const results = await Promise.allSettled(dials);
    for (const result of results) if (result.status === "fulfilled") result.value.destroy();
    return results.map(result => (result.status === "fulfilled" ? "connected" : result.reason.code));
  };
  const allows = [dialer.avoid([{ host: "0.0.0.0", port }]), dialer.avoid([{ host: "127.0.0.1", port }])];
  for (const allow of allows) {
    expect(await dialBoth()).toEqual(["self-loop", "self-loop"]);
    allow();
  }
  expect(await dialBoth()).toEqual(["connected", "connected"]);
});
