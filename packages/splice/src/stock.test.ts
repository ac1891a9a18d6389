// Threads take no dials after a client that got no answer, from before it sees the end on, and not for good.
import { once } from "node:events";
import type { Socket } from "node:net";
import type { PlannedDial } from "@gw/interface";
import { startBackend } from "@gw/testing";
import { expect } from "vitest";
import { test } from "../test/available.js";
import { connectTo, settings } from "../test/serving.js";
import { splice } from "./index.js";

/** A relay whose stock has dials to a backend that ends each connection without an answer. */
async function startRelay() {
  const relay = splice({ threads: 2 });
  const stock = relay.createStock?.();
  const backend = await startBackend(socket => socket.resume().end());
  let onReport = (_dial: PlannedDial | undefined): void => {};
  const listener = await relay.listen(
    { host: "127.0.0.1", port: 0 },
    {
      stock,
      onClient(client, dial) {
        if (!dial) client.close();
        onReport(dial);
        return { connected() {}, dialFailed: () => client.close(), ended() {} };
      },
      onError() {},
    },
    settings,
  );
  stock?.add(Array.from({ length: 20 }, () => ({ addresses: [backend.address], timeoutMs: 10_000 })));
  return {
    /** A client, whether it was dialled for without being asked for, and when it sees the end of its backend. */
    async connect(): Promise<{ client: Socket; hasDial: boolean; end: Promise<unknown> }> {
      const reported = new Promise<PlannedDial | undefined>(resolve => (onReport = resolve));
      const client = connectTo(listener).resume();
      const end = once(client, "end");
      return { client, hasDial: (await reported) !== undefined, end };
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await backend[Symbol.asyncDispose]();
    },
  };
}

test("clients are asked for as soon as one has seen the end of a backend that did not answer", async () => {
  await using relay = await startRelay();
  const lost = await relay.connect();
  expect(lost.hasDial).toBe(true);
  // It does not end its own output, so that the connection is not over.
  await lost.end;
  const next = await relay.connect();
  expect(next.hasDial).toBe(false);
  for (const { client } of [lost, next]) client.destroy();
});

test.each(["leaves", "stays, which holds up others for a while only"])(
  "the next clients are dialled for again when that one %s",
  async what => {
    await using relay = await startRelay();
    const lost = await relay.connect();
    await lost.end;
    if (what === "leaves") lost.client.destroy();
    for (let hasDial = false; !hasDial; ) {
      const next = await relay.connect();
      hasDial = next.hasDial;
      await next.end;
      next.client.destroy();
    }
    lost.client.destroy();
  },
);
