import { setTimeout as pause } from "node:timers/promises";
import type { AcceptedClient } from "../test-support/accepted-client.js";
import type { Connection, Harness, RelayCase } from "../test-support/harness.js";
import { ByteStream } from "../test-support/random.js";
import { Mismatch } from "../test-support/waitable.js";
import { Late, paceMs, withRetryOnSlowMachine } from "./timeouts.js";

/** On a machine that is not held up; on others five times as long. */
const shortMs = 150;
/** A report that takes so many stall timeouts is late. */
const lateTimeouts = 3;

/**
 * Reports of clients that wait. No case sleeps to see that nothing is reported: a client that must not be is compared
 * with another one of the same listener that must be, and began to wait later.
 */
export const stallCases: readonly RelayCase[] = [
  {
    name: "reports a client that waits for an answer, once for each wait and never early",
    contract:
      "A client that has sent and got nothing for stallTimeoutMs is reported, and again only after an answer and another byte.",
    check: withRetryOnSlowMachine(shortMs, async (harness, timeoutMs) => {
      const listener = await harness.listen({ settings: { stallTimeoutMs: timeoutMs } });
      const backend = await harness.backend();
      const { client, server, accepted } = await harness.connect(listener, backend);
      for (let wait = 1; wait <= 2; wait++) {
        const sinceMs = performance.now();
        client.send("question");
        await server.gets("question");
        await isReported(accepted, wait, sinceMs, timeoutMs);
        const reportedAtMs = performance.now();
        demandAge("waitingMs", accepted.client.waitingMs, timeoutMs, performance.now() - sinceMs);
        // Still the same wait.
        client.send("more");
        await server.gets("more");
        await anotherIsReported(harness, listener, backend, timeoutMs);
        demandStalls(accepted, wait, "waits for the same answer");
        server.send("answer");
        await client.gets("answer");
        // A relay that does not read the clock for each read may be behind, but not by the wait of that other client.
        demandAge("answeredMs", accepted.client.answeredMs, 0, performance.now() - reportedAtMs);
        demandNoWait(accepted, "was answered");
      }
    }),
  },
  {
    name: "reports no client that does not wait",
    contract:
      "A client does not wait if it was answered, has sent nothing, takes no bytes, or if its backend has ended.",
    check: withRetryOnSlowMachine(shortMs, async (harness, timeoutMs) => {
      const listener = await harness.listen({ settings: { stallTimeoutMs: timeoutMs } });
      const backend = await harness.backend();
      const connect = (): Promise<Connection> => harness.connect(listener, backend);
      const [answered, pushed, ended, full] = [
        await connect(),
        await connect(),
        await connect(),
        await connect(),
      ];
      ended.server.end("bye");
      await ended.client.getsEnd("bye");
      ended.client.send("late");
      await ended.server.gets("late");
      pushed.server.send("greeting");
      await pushed.client.gets("greeting");
      await fillUp(harness, full);
      full.client.send("?");
      await full.server.gets("?");
      const exchange = async (): Promise<void> => {
        answered.client.send("?");
        await answered.server.gets("?");
        answered.server.send("!");
        await answered.client.gets("!");
      };
      await exchange();
      await anotherIsReported(harness, listener, backend, timeoutMs, exchange);
      for (const [{ accepted }, state] of [
        [pushed, "has sent nothing"],
        [answered, "was answered"],
        [ended, "has a backend that has ended its output"],
        [full, "takes no bytes"],
      ] as const) {
        demandStalls(accepted, 0, state);
        demandNoWait(accepted, state);
      }
    }),
  },
  {
    name: "reports clients that go on sending, or have ended their output",
    contract: "A client waits from its first byte without an answer, and also after it has ended its output.",
    check: withRetryOnSlowMachine(shortMs, async (harness, timeoutMs) => {
      const listener = await harness.listen({ settings: { stallTimeoutMs: timeoutMs } });
      const backend = await harness.backend();
      const [upload, half] = [
        await harness.connect(listener, backend),
        await harness.connect(listener, backend),
      ];
      const sinceMs = performance.now();
      half.client.end("question");
      await half.server.getsEnd("question");
      const send = async (): Promise<void> => {
        upload.client.send(".");
        await upload.server.gets(".");
      };
      await meanwhile(isReported(upload.accepted, 1, sinceMs, timeoutMs), send);
      await isReported(half.accepted, 1, sinceMs, timeoutMs);
      await anotherIsReported(harness, listener, backend, timeoutMs, send);
      demandStalls(upload.accepted, 1, "goes on sending");
      demandStalls(half.accepted, 1, "has ended its output");
    }),
  },
  {
    name: "counts the wait of a client that has sent early from its connection",
    contract: "A client that has sent before it is connected waits from then on.",
    check: withRetryOnSlowMachine(shortMs, async (harness, timeoutMs) => {
      const listener = await harness.listen({ settings: { stallTimeoutMs: timeoutMs } });
      const backend = await harness.backend();
      const { client, accepted } = await harness.accept(listener);
      await client.send("early");
      await anotherIsReported(harness, listener, backend, timeoutMs);
      const sinceMs = performance.now();
      accepted.dial(backend.address);
      const [server] = await Promise.all([backend.next(), accepted.isConnected()]);
      await server.gets("early");
      await isReported(accepted, 1, sinceMs, timeoutMs);
    }),
  },
  {
    name: "reports no client that has ended, and none without a stall timeout",
    contract: "No stalled() after ended(), and none where stallTimeoutMs is 0.",
    check: withRetryOnSlowMachine(shortMs, async (harness, timeoutMs) => {
      const listener = await harness.listen({ settings: { stallTimeoutMs: timeoutMs } });
      const backend = await harness.backend();
      const without = await harness.connection();
      without.client.send("question");
      await without.server.gets("question");
      const gone = await harness.connect(listener, backend);
      gone.server.send("greeting");
      await gone.client.gets("greeting");
      gone.client.send("question");
      await gone.server.gets("question");
      gone.accepted.abort();
      await gone.accepted.ends("aborted");
      demandNoWait(gone.accepted, "has ended");
      if (gone.accepted.client.answeredMs !== undefined)
        throw new Mismatch(`answeredMs is ${gone.accepted.client.answeredMs} for a client that has ended`);
      await anotherIsReported(harness, listener, backend, timeoutMs);
      demandStalls(without.accepted, 0, "has no stall timeout");
      demandStalls(gone.accepted, 0, "has ended");
    }),
  },
];

/** Demands that a client is reported for the `count`th time, `timeoutMs` after it has sent, and not much later. */
async function isReported(
  accepted: AcceptedClient,
  count: number,
  sinceMs: number,
  timeoutMs: number,
): Promise<void> {
  await accepted.stalls(count);
  const tookMs = performance.now() - sinceMs;
  const seen = `a client was reported after ${Math.round(tookMs)} ms, in place of ${timeoutMs} ms`;
  if (tookMs < timeoutMs) throw new Mismatch(seen);
  if (tookMs > lateTimeouts * timeoutMs) throw new Late(seen);
}

/** Waits until a client is reported that begins to wait now. Repeats `work` until then. */
async function anotherIsReported(
  harness: Harness,
  listener: Parameters<Harness["connect"]>[0],
  backend: Parameters<Harness["connect"]>[1],
  timeoutMs: number,
  work: () => Promise<void> = async () => {},
): Promise<void> {
  const { client, accepted } = await harness.connect(listener, backend);
  const sinceMs = performance.now();
  client.send("question");
  await meanwhile(isReported(accepted, 1, sinceMs, timeoutMs), work);
}

/** Repeats `work` until `awaited` is settled. */
async function meanwhile(awaited: Promise<void>, work: () => Promise<void>): Promise<void> {
  let over = false;
  const settled = awaited.finally(() => {
    over = true;
  });
  settled.catch(() => {});
  while (!over) {
    await work();
    await Promise.race([pause(paceMs), settled]);
  }
  await settled;
}

/** Makes the backend send until the relay reads no more, since the client takes nothing. */
async function fillUp(harness: Harness, { client, server, accepted }: Connection): Promise<void> {
  client.pause();
  void server.sendStream(new ByteStream(9), Number.MAX_SAFE_INTEGER);
  for (let before = -1; before !== accepted.client.bytesFromBackend; await harness.roundTrips())
    before = accepted.client.bytesFromBackend;
}

function demandStalls(accepted: AcceptedClient, count: number, state: string): void {
  if (accepted.stallCount !== count)
    throw new Mismatch(
      `a client that ${state} was reported ${accepted.stallCount} times, in place of ${count}`,
    );
}

function demandNoWait({ client }: AcceptedClient, state: string): void {
  if (client.waitingMs !== undefined)
    throw new Mismatch(`waitingMs is ${client.waitingMs} for a client that ${state}`);
}

function demandAge(name: string, ms: number | undefined, leastMs: number, mostMs: number): void {
  if (ms === undefined || ms < leastMs || ms > mostMs)
    throw new Mismatch(`${name} is ${ms}, in place of ${leastMs} to ${Math.ceil(mostMs)}`);
}
