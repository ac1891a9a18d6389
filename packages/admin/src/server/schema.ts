import { type Answer, json } from "./answer.js";
import { flag } from "./query.js";
import type { ViewRequest } from "./views.js";

/** A part of a JSON Schema. */
export interface Schema {
  readonly [keyword: string]: unknown;
}

/** `GET /schema/status.json`: the JSON Schema of `GET /status`, which is also the file `schema/status.schema.json`. */
export function schema({ query }: ViewRequest): Answer {
  return { ...json(200, statusSchema, flag(query, "pretty")), type: "application/schema+json" };
}

const text: Schema = { type: "string" };
const truth: Schema = { type: "boolean" };
const number: Schema = { type: "number" };
const count: Schema = { type: "integer", minimum: 0 };
const duration: Schema = { type: "number", minimum: 0, description: "Milliseconds." };
const time: Schema = { type: "string", format: "date-time" };
const endpoint: Schema = { type: "string", description: "host:port, or [IPv6]:port." };

function one(...values: readonly string[]): Schema {
  return { enum: values };
}

function list(items: Schema): Schema {
  return { type: "array", items };
}

function ref(name: string): Schema {
  return { $ref: `#/$defs/${name}` };
}

/** What was added later, or is new in a version that is not known yet, is allowed. */
function object(required: { readonly [name: string]: Schema }, optional: typeof required = {}): Schema {
  return { type: "object", required: Object.keys(required), properties: { ...required, ...optional } };
}

/** Each of these is the interface of that name in `contract/status.ts`. */
const definitions: { readonly [name: string]: Schema } = {
  GatewayStatus: object(
    {
      version: text,
      node: text,
      pid: count,
      state: one("starting", "serving", "draining"),
      now: time,
      startedAt: time,
      listen: list(text),
      relay: { type: "string", description: "native or js." },
      selector: text,
      actions: { type: "boolean", description: "Whether --admin-actions is given." },
      logLevel: text,
    },
    { relayThreads: count },
  ),
  EndpointView: object(
    {
      endpoint,
      priority: count,
      weight: count,
      state: {
        ...one("up", "down", "draining", "held", "foreign"),
        description:
          "draining: no longer an endpoint, and still has connections. held: drained or marked down by an operator. " +
          "foreign: belongs to another cluster and is not used.",
      },
      inUse: truth,
      unhealthy: {
        type: "boolean",
        description: "A health check marked it down, or it is used in spite of a bad verdict.",
      },
      since: time,
      connections: { ...count, description: "Open or being dialled." },
      waiting: {
        ...count,
        description: "Clients that wait for an answer for longer than the stall timeout.",
      },
      longestWaitMs: duration,
      totals: ref("EndpointTotals"),
    },
    {
      secure: {
        type: "boolean",
        description: "Whether its source specifies TLS; absent if it specifies neither.",
      },
      hold: one("drained", "down"),
      reason: { type: "string", description: "Why it is not up, as a clause." },
      code: text,
      retryAt: time,
      check: ref("CheckView"),
      facts: ref("FactsView"),
    },
  ),
  CheckView: object({ type: text, at: time, tookMs: duration, healthy: truth }, { reason: text, note: text }),
  FactsView: object(
    {},
    {
      clusterId: text,
      memberId: text,
      leaderId: text,
      isLeader: truth,
      isLearner: truth,
      raftTerm: count,
      version: text,
      roundTripMs: duration,
    },
  ),
  EndpointTotals: object({
    connected: count,
    closed: count,
    dialFailures: count,
    bytesFromClient: count,
    bytesFromBackend: count,
    dialMsSum: duration,
  }),
  TierView: object({ priority: count, endpoints: count, up: count, inUse: truth }),
  PanicView: object({ cause: one("all-down", "most-unhealthy", "cluster"), since: time, reason: text }),
  FailoverView: object({ at: time, from: endpoint, to: endpoint, reason: text }),
  ConnectionCounts: object(
    {
      open: count,
      accepted: count,
      refused: count,
      unserved: count,
      closed: count,
      waiting: count,
      longestWaitMs: duration,
      dialBucketsMs: { ...list(number), description: "Upper bounds of dial durations." },
      dialCounts: { ...list(count), description: "How many took at most that long; the last is all." },
    },
    { limit: count },
  ),
  SourceView: object(
    { source: text, endpoints: count, failures: count },
    { lastChange: time, lastRead: time, failedSince: time, reason: text },
  ),
  HealthView: object(
    { type: text, available: truth, intervalMs: duration, timeoutMs: duration },
    { reason: text },
  ),
  IdentityView: object({ foreign: list(object({ endpoint, clusterId: text })) }, { clusterId: text }),
  ProcessView: object(
    {
      rssBytes: count,
      heapBytes: count,
      cpuSeconds: { type: "number", minimum: 0 },
      eventLoopDelayMs: duration,
    },
    { openDescriptors: count, maxDescriptors: count },
  ),
  OptionView: object({ flag: text, value: text, from: one("flag", "environment", "default") }),
};

/** The JSON Schema (2020-12) of `Status`. */
export const statusSchema: Schema = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  $id: "urn:gw:status:1",
  title: "Status of a gw gateway",
  description:
    "The answer to GET /status. Times of day are in ISO 8601. New fields may be added at any time.",
  ...object(
    {
      schema: { const: 1 },
      gateway: ref("GatewayStatus"),
      ready: { type: "boolean", description: "Whether it listens, and at least one endpoint is up." },
      endpoints: list(ref("EndpointView")),
      tiers: list(ref("TierView")),
      connections: ref("ConnectionCounts"),
      discovery: list(ref("SourceView")),
      health: ref("HealthView"),
      identity: ref("IdentityView"),
      process: ref("ProcessView"),
      options: list(ref("OptionView")),
    },
    {
      inUse: { ...endpoint, description: "The endpoint of the newest connection." },
      inUseSince: time,
      panic: ref("PanicView"),
      lastFailover: ref("FailoverView"),
    },
  ),
  $defs: definitions,
};
