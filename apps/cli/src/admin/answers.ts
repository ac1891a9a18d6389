import type { ConnectionsAnswer, EventsAnswer, RecordedEvent, Status } from "@gw/admin";
import { GatewayError } from "@gw/interface";

/**
 * What commands need of the answers of an admin server. Another program may answer, or a gateway of another version: a
 * field that is missing or of another type is an error here, and not a crash where it is used. Further fields are kept.
 */

/** @throws {GatewayError} `unhealthy` if `value` is no status */
export function readStatus(value: unknown, server: string): Status {
  return read<Status>(value, status, server, "status");
}

/** @throws {GatewayError} `unhealthy` if `value` has no events */
export function readEvents(value: unknown, server: string): EventsAnswer {
  return read<EventsAnswer>(value, events, server, "list of events");
}

/** @throws {GatewayError} `unhealthy` if `value` is no event */
export function readEvent(value: unknown, server: string): RecordedEvent {
  return read<RecordedEvent>(value, event, server, "event");
}

/** @throws {GatewayError} `unhealthy` if `value` has no connections */
export function readConnections(value: unknown, server: string): ConnectionsAnswer {
  return read<ConnectionsAnswer>(value, connections, server, "list of connections");
}

/** The type of a field. Names of fields that may be missing end with `?`. */
type Shape =
  | "string"
  | "number"
  | "boolean"
  | "object"
  | 1
  | readonly [Shape]
  | { readonly [name: string]: Shape };

const event = {
  id: "number",
  at: "string",
  event: "string",
  "endpoint?": "string",
  "reason?": "string",
  "count?": "number",
  "lastAt?": "string",
  "data?": "object",
  text: "string",
} as const satisfies Shape;

const events = { schema: 1, events: [event], dropped: "number" } as const satisfies Shape;

const connection = {
  connection: "number",
  client: "string",
  listener: "string",
  "endpoint?": "string",
  state: "string",
  ageMs: "number",
  bytesFromClient: "number",
  bytesFromBackend: "number",
  "idleMs?": "number",
  "waitingSince?": "string",
} as const satisfies Shape;

const connections = {
  schema: 1,
  connections: [connection],
  total: "number",
  "next?": "number",
} as const satisfies Shape;

const check = {
  type: "string",
  at: "string",
  tookMs: "number",
  healthy: "boolean",
  "reason?": "string",
  "note?": "string",
} as const satisfies Shape;

const facts = {
  "clusterId?": "string",
  "memberId?": "string",
  "leaderId?": "string",
  "isLeader?": "boolean",
  "isLearner?": "boolean",
  "raftTerm?": "number",
  "version?": "string",
  "roundTripMs?": "number",
} as const satisfies Shape;

const endpoint = {
  endpoint: "string",
  priority: "number",
  weight: "number",
  "secure?": "boolean",
  state: "string",
  "hold?": "string",
  inUse: "boolean",
  unhealthy: "boolean",
  since: "string",
  "reason?": "string",
  "code?": "string",
  "retryAt?": "string",
  connections: "number",
  waiting: "number",
  longestWaitMs: "number",
  "check?": check,
  "facts?": facts,
  totals: {
    connected: "number",
    closed: "number",
    dialFailures: "number",
    bytesFromClient: "number",
    bytesFromBackend: "number",
    dialMsSum: "number",
  },
} as const satisfies Shape;

const status = {
  schema: 1,
  gateway: {
    version: "string",
    pid: "number",
    state: "string",
    now: "string",
    startedAt: "string",
    listen: ["string"],
    relay: "string",
    selector: "string",
    actions: "boolean",
    logLevel: "string",
  },
  ready: "boolean",
  "inUse?": "string",
  "inUseSince?": "string",
  endpoints: [endpoint],
  tiers: [{ priority: "number", endpoints: "number", up: "number", inUse: "boolean" }],
  "panic?": { cause: "string", since: "string", reason: "string" },
  "lastFailover?": { at: "string", from: "string", to: "string", reason: "string" },
  connections: {
    open: "number",
    "limit?": "number",
    accepted: "number",
    refused: "number",
    unserved: "number",
    closed: "number",
    waiting: "number",
    longestWaitMs: "number",
    dialBucketsMs: ["number"],
    dialCounts: ["number"],
  },
  discovery: [
    {
      source: "string",
      endpoints: "number",
      "lastChange?": "string",
      "lastRead?": "string",
      "failedSince?": "string",
      "reason?": "string",
      failures: "number",
    },
  ],
  health: {
    type: "string",
    available: "boolean",
    "reason?": "string",
    intervalMs: "number",
    timeoutMs: "number",
  },
  identity: { "clusterId?": "string", foreign: [{ endpoint: "string", clusterId: "string" }] },
  options: [{ flag: "string", value: "string", from: "string" }],
} as const satisfies Shape;

function read<T>(value: unknown, shape: Shape, server: string, what: string): T {
  if (typeof value !== "object" || value === null || !("schema" in value || shape === event))
    throw new GatewayError("unhealthy", `what answers on ${server} is not the admin server of a gateway`);
  const wrong = mismatch(value, shape, "");
  if (wrong === undefined) return value as T;
  throw new GatewayError(
    "unhealthy",
    `the ${what} of ${server} has no valid ${wrong}: gw there may have another version`,
  );
}

/** The first field that is not as it should be. */
function mismatch(value: unknown, shape: Shape, at: string): string | undefined {
  if (typeof shape === "string")
    return typeof value === shape && value !== null ? undefined : at || "content";
  if (typeof shape === "number") return value === shape ? undefined : at;
  if (isList(shape)) {
    if (!Array.isArray(value)) return at;
    for (const item of value) {
      const wrong = mismatch(item, shape[0], at);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return at || "content";
  for (const [key, inner] of Object.entries(shape)) {
    const optional = key.endsWith("?");
    const name = optional ? key.slice(0, -1) : key;
    const field: unknown = (value as { readonly [name: string]: unknown })[name];
    if (optional && field === undefined) continue;
    const wrong = mismatch(field, inner, at === "" ? name : `${at}.${name}`);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

/** `Array.isArray` does not narrow read-only ones. */
function isList(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape);
}
