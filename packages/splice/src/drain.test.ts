// A listener that closes right after a client has come.
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect } from "vitest";
import { test } from "../test/available.js";
import { connectTo, settings, until } from "../test/serving.js";
import { splice } from "./index.js";

test("a client that has taken a dial is served, though nothing else is open when its listener closes", async () => {
  const relay = splice({ threads: 2 });
  for (let round = 0; round < 10; round++) {
    const stock = relay.createStock?.();
    const reasons: string[] = [];
    const events = {
      connected() {},
      dialFailed() {},
      ended: ({ reason }: { readonly reason: string }) => void reasons.push(reason),
    };
    const handlers = { stock, onClient: () => events, onError() {} };
    const listener = await relay.listen({ host: "127.0.0.1", port: 0 }, handlers, settings);
    // The client has reached its backend, and was not reported yet.
    const backend = createServer(socket => {
      listener.close();
      socket.on("error", () => {}).pipe(socket);
    }).listen(0, "127.0.0.1");
    await once(backend, "listening");
    const { port } = backend.address() as AddressInfo;
    // So many that the relay is in no hurry to report the first client.
    stock?.add(Array(8).fill({ addresses: [{ host: "127.0.0.1", port }], timeoutMs: 10_000 }));
    const client = connectTo(listener).setEncoding("utf8");
    client.end("hello");
    let answer = "";
    for await (const text of client) answer += text;
    await until(() => reasons.length > 0);
    expect([answer, ...reasons]).toEqual(["hello", "finished"]);
    backend.close();
  }
});
