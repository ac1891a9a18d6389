// A connection is finished when both peers have acknowledged all that was sent to them; not before.
import type { RelayClient, RelayEnd } from "@gw/interface";
import { outcome, startBackend } from "@gw/testing";
import { expect } from "vitest";
import { test } from "../test/available.js";
import { connectTo, listen, until } from "../test/serving.js";
import { splice } from "./index.js";

/** More than a client's system buffers while the client reads nothing, and less than the relay's does. */
const answer = Buffer.alloc(400_000, "answer");

/** A client that has asked, has ended its output and reads nothing, after the relay has written the whole answer. */
async function answered() {
  const backend = await startBackend(socket => socket.end(answer));
  const ends: RelayEnd[] = [];
  const clients: RelayClient[] = [];
  const listener = await listen(splice({ threads: 1 }), client => {
    clients.push(client);
    client.dial([backend.address], 10_000);
    return { connected() {}, dialFailed() {}, ended: end => ends.push(end) };
  });
  const socket = connectTo(listener);
  socket.end("question");
  await until(() => clients[0]?.bytesFromBackend === answer.length && clients[0].bytesFromClient === 8);
  const [atBackend] = backend.sockets;
  // The backend has seen the end of the question, which the relay passes on after the answer.
  if (atBackend) await outcome(atBackend);
  listener.close();
  return { backend, socket, ends };
}

test("a client that resets before it has taken the whole answer has failed", async () => {
  const { backend, socket, ends } = await answered();
  await using _ = backend;
  socket.resetAndDestroy();
  await until(() => ends.length === 1);
  expect(ends[0]).toMatchObject({ reason: "client-failed", error: { code: "reset" } });
});

test("a connection is finished when a slow client has taken the whole answer", async () => {
  const { backend, socket, ends } = await answered();
  await using _ = backend;
  expect(ends).toEqual([]);
  const { received, end } = await outcome(socket);
  expect([received.equals(answer), end]).toEqual([true, "end"]);
  await until(() => ends.length === 1);
  expect(ends[0]).toMatchObject({ reason: "finished", bytesFromBackend: answer.length });
});
