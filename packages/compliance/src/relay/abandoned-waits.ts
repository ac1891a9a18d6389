import type { RelayEnd } from "@gw/interface";
import type { Connection, RelayCase } from "../test-support/harness.js";
import { Mismatch } from "../test-support/waitable.js";
import { withRetryOnSlowMachine } from "./timeouts.js";

/** On a machine that is not held up; on others five times as long. */
const shortMs = 150;

/**
 * For how long clients that gave up had been waiting. Each client leaves only after it was reported as stalled, so that its
 * wait is known to be at least the stall timeout.
 */
export const abandonedWaitCases: readonly RelayCase[] = [
  {
    name: "reports for how long a client had been waiting when it gave up",
    contract:
      "RelayEnd.waitedMs is the wait of a client that was reset, or ended its output, before its backend did either.",
    check: withRetryOnSlowMachine(shortMs, async (harness, timeoutMs) => {
      const listener = await harness.listen({ settings: { stallTimeoutMs: timeoutMs } });
      const backend = await harness.backend();
      const sinceMs = performance.now();
      const [reset, left, refused] = [
        await harness.connect(listener, backend),
        await harness.connect(listener, backend),
        await harness.connect(listener, backend),
      ];
      await Promise.all([reset, left, refused].map(stalls));
      await reset.client.reset();
      demandWait(await reset.accepted.ends("client-failed"), timeoutMs, sinceMs, "was reset");
      for (const { client, server } of [left, refused]) {
        client.end();
        await server.getsEnd();
      }
      const leftAtMs = performance.now();
      // Some time passes.
      await stalls(await harness.connect(listener, backend));
      left.server.end();
      const waitedMs = leftAtMs - sinceMs;
      const end = await left.accepted.ends("finished");
      demandWait(end, timeoutMs, performance.now() - waitedMs, "ended its output");
      await refused.server.reset();
      const failed = await refused.accepted.ends("backend-failed");
      demandWait(
        failed,
        timeoutMs,
        performance.now() - waitedMs,
        "ended its output before its backend failed",
      );
    }),
  },
  {
    name: "reports no wait of a client that did not give up",
    contract:
      "RelayEnd.waitedMs is absent if the client was answered, its backend ended first, the relay ended it, or there is no stallTimeoutMs.",
    check: withRetryOnSlowMachine(shortMs, async (harness, timeoutMs) => {
      const listener = await harness.listen({ settings: { stallTimeoutMs: timeoutMs } });
      const backend = await harness.backend();
      const connect = (): Promise<Connection> => harness.connect(listener, backend);
      const [answered, half, ended, failed, aborted, untimed] = [
        await connect(),
        await connect(),
        await connect(),
        await connect(),
        await connect(),
        await harness.connection(),
      ];
      untimed.client.send("question");
      await untimed.server.gets("question");
      await Promise.all([answered, half, ended, failed, aborted].map(stalls));
      answered.server.send("answer");
      await answered.client.gets("answer");
      await answered.client.reset();
      demandNone(await answered.accepted.ends("client-failed"), "was answered");
      half.client.end();
      await half.server.getsEnd();
      half.server.end("answer");
      await half.client.getsEnd("answer");
      demandNone(await half.accepted.ends("finished"), "took an answer after it had ended its output");
      ended.server.end();
      await ended.client.getsEnd();
      ended.client.end();
      demandNone(await ended.accepted.ends("finished"), "has a backend that ended first");
      await failed.server.reset();
      demandNone(await failed.accepted.ends("backend-failed"), "has a backend that failed first");
      aborted.client.end();
      await aborted.server.getsEnd();
      aborted.accepted.abort();
      demandNone(await aborted.accepted.ends("aborted"), "was aborted");
      await untimed.client.reset();
      demandNone(await untimed.accepted.ends("client-failed"), "has no stall timeout");
    }),
  },
];

/** The client waits from now on, and is reported for that. */
async function stalls({ client, server, accepted }: Connection): Promise<void> {
  client.send("question");
  await server.gets("question");
  await accepted.stalls(1);
}

function demandWait({ waitedMs }: RelayEnd, leastMs: number, sinceMs: number, state: string): void {
  const mostMs = Math.ceil(performance.now() - sinceMs);
  if (waitedMs === undefined || waitedMs < leastMs || waitedMs > mostMs)
    throw new Mismatch(
      `waitedMs is ${waitedMs} for a client that ${state}, in place of ${leastMs} to ${mostMs}`,
    );
}

function demandNone({ waitedMs }: RelayEnd, state: string): void {
  if (waitedMs !== undefined) throw new Mismatch(`waitedMs is ${waitedMs} for a client that ${state}`);
}
