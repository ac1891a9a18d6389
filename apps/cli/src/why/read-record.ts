import { open } from "node:fs/promises";
import { GatewayError, quote } from "@gw/interface";
import type { PoolRecord } from "@gw/selector";

/** The largest file that is read, in bytes. */
const maxBytes = 64 * 1024 * 1024;

/**
 * Reads the record of a file: the answer to `GET /events?replay`, or the record alone.
 *
 * @throws {GatewayError} `invalid-option` why it is none
 */
export async function readRecord(file: string): Promise<PoolRecord> {
  const answer = parse(file, await readBounded(file));
  const record = isObject(answer) && "record" in answer ? answer["record"] : answer;
  if (!isObject(record) || !("items" in record)) {
    const isEvents = isObject(answer) && Array.isArray(answer["events"]);
    throw invalid(
      file,
      isEvents
        ? "has events and no record for a replay; save it from /events?replay"
        : "is not the answer of a gateway to /events?replay",
    );
  }
  if (record["schema"] !== 1)
    throw invalid(file, `has a record of schema ${quote(String(record["schema"]))}; this gw reads schema 1`);
  const wrong = await faultOf(record);
  if (wrong !== undefined) throw invalid(file, `has a damaged record: ${wrong}`);
  return record as unknown as PoolRecord;
}

async function readBounded(file: string): Promise<string> {
  try {
    const handle = await open(file, "r");
    try {
      const { size } = await handle.stat();
      if (size > maxBytes) throw invalid(file, `has ${size} bytes; a record has at most ${maxBytes}`);
      // The size of a pipe or a device is 0.
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of handle.createReadStream({ autoClose: false })) {
        bytes += (chunk as Buffer).length;
        if (bytes > maxBytes) throw invalid(file, `has more than ${maxBytes} bytes; no record has`);
        chunks.push(chunk as Buffer);
      }
      return Buffer.concat(chunks).toString("utf8");
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    const why = { ENOENT: "does not exist", EISDIR: "is a directory", EACCES: "may not be read" }[code];
    throw invalid(file, why ?? `cannot be read (${code})`);
  }
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid(file, "is not JSON; save the answer to /events?replay");
  }
}

/** What is wrong with the fields that a replay reads; undefined if nothing is. */
async function faultOf(record: object): Promise<string | undefined> {
  const { z } = await import("zod");
  const name = z.string().min(1).max(300);
  const time = z.number();
  const error = z.object({ code: z.string(), detail: z.string() });
  const verdict = z.object({
    check: z.string(),
    scope: z.enum(["endpoint", "cluster"]),
    connectable: z.boolean().optional(),
    conclusive: z.boolean().optional(),
    error: error.optional(),
  });
  const endpoint = z.object({
    host: z.string().min(1).max(255),
    port: z.int().min(0).max(65_535),
    priority: z.number(),
    weight: z.number(),
  });
  const numbers = z.array(z.number().nullable()).max(5);
  const down = z.object({
    cause: z.enum(["dial", "check", "clients"]),
    error,
    connectable: z.boolean(),
    confirmed: z.boolean(),
    retryAtMs: time,
  });
  const entries = z.array(
    z.object({
      endpoint,
      sinceMs: time,
      down: down.optional(),
      verdict: verdict.optional(),
      draws: z.number().optional(),
      backoff: numbers.optional(),
      unanswered: numbers.optional(),
    }),
  );
  const about = { atMs: time, endpoint: name };
  const item = z.discriminatedUnion("do", [
    z.object({ do: z.literal("set"), atMs: time, endpoints: z.array(endpoint), returned: z.array(name) }),
    z.object({ do: z.literal("report"), ...about, verdict, anotherIsHealthy: z.boolean() }),
    z.object({
      do: z.literal("connected"),
      ...about,
      moves: z.boolean(),
      from: name.optional(),
      fromLeft: error.optional(),
    }),
    z.object({ do: z.literal("failed"), ...about, error }),
    z.object({ do: z.literal("unanswered"), ...about, refuted: z.boolean() }),
    z.object({ do: z.literal("answered"), ...about }),
    z.object({
      do: z.literal("retried"),
      ...about,
      dueMs: time,
      error: error.optional(),
      verdict: verdict.optional(),
    }),
    z.object({
      do: z.literal("decided"),
      atMs: time,
      event: z.enum([
        "endpoint down",
        "endpoint still down",
        "endpoint up",
        "failover",
        "panic",
        "panic over",
      ]),
      endpoint: name.optional(),
      from: name.optional(),
      reason: z.string().optional(),
      retryInMs: z.number().optional(),
    }),
  ]);
  const shape = z.object({
    wallMs: time,
    clockMs: time,
    fromMs: time,
    untilMs: time,
    seed: z.number(),
    options: z.object({ retryDelayMs: time, maxRetryDelayMs: time, panicThreshold: z.number() }),
    start: z.object({
      entries,
      draining: entries,
      panic: z.object({ cause: z.enum(["all-down", "most-unhealthy", "cluster"]), sinceMs: time }).optional(),
    }),
    items: z.array(item),
  });
  const { error: found } = shape.safeParse(record);
  const issue = found?.issues[0];
  return issue && `${issue.path.map(String).join(".") || "it"}: ${issue.message}`;
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(file: string, problem: string): GatewayError {
  return new GatewayError("invalid-option", `${quote(file)} ${problem}`);
}
