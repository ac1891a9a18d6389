import type { Level } from "./levels.js";

/** An event of the log. */
export interface LogEvent {
  /** Its levels, the usual one first. */
  readonly levels: readonly Level[];
  /** The names of its fields; `?` after those that can be absent. */
  readonly fields: readonly string[];
  /** How many lines of it are written in a minute at most; with `per`, for each value of that field. */
  readonly limit?: { readonly times: number; readonly per?: "endpoint" | "to" };
}

/** What can happen to every client is logged once a minute. */
const once = { times: 1 } as const;
const few = { times: 10 } as const;
/** DNS can name any number of endpoints. */
const many = { times: 100 } as const;
const fewPerEndpoint = { times: 10, per: "endpoint" } as const;

/**
 * Every event of the log by its message. These names, their fields and levels are public; docs/log-events.md has the
 * same table, which a test compares with this one.
 */
export const logEvents = {
  // The gateway.
  "ready to proxy client requests": {
    levels: ["info"],
    fields: ["endpoints", "listen", "selector", "relay", "maxConnections?"],
  },
  reloading: { levels: ["info"], fields: ["signal?", "reason?"], limit: many },
  "reload failed": { levels: ["error"], fields: ["reason"], limit: few },
  "certificates reloaded": { levels: ["info"], fields: [], limit: few },
  "certificates invalid": { levels: ["warn"], fields: ["reason"], limit: few },
  draining: { levels: ["info"], fields: ["signal", "connections", "grace"] },
  stopped: { levels: ["info"], fields: ["cut"] },
  "relay fallback": { levels: ["warn"], fields: ["relay", "reason"] },
  "listen address skipped": { levels: ["warn"], fields: ["address", "reason"] },
  "connection limit lowered": { levels: ["warn"], fields: ["requested", "limit", "reason"] },
  "user timeout too short": { levels: ["warn"], fields: ["userTimeout", "keepalive", "reason"] },
  "unknown environment variables": { levels: ["warn"], fields: ["variables", "more?"] },
  "service manager unreachable": { levels: ["warn"], fields: ["reason"], limit: few },
  "signal ignored": { levels: ["info"], fields: ["signal"] },
  "log lines dropped": { levels: ["warn"], fields: ["dropped"] },
  "access log reopened": { levels: ["info"], fields: ["file"], limit: few },
  "access log not reopened": { levels: ["warn"], fields: ["file", "reason"], limit: few },
  "access log not written": { levels: ["warn"], fields: ["file", "reason"], limit: few },
  "access log written again": { levels: ["info"], fields: ["file", "failedFor"], limit: few },
  "access log records dropped": { levels: ["warn"], fields: ["file", "dropped"], limit: few },
  warning: { levels: ["warn"], fields: ["warning", "reason", "stack?"], limit: few },
  "unexpected error": { levels: ["error"], fields: ["reason"], limit: few },
  "fatal error": { levels: ["error"], fields: ["reason", "stack?"] },

  // Admin server.
  "admin server ready": { levels: ["info"], fields: ["address"] },
  "admin server exposed": { levels: ["warn"], fields: ["address", "reason"] },
  "admin server failed": { levels: ["warn"], fields: ["reason"], limit: few },
  "endpoint drained": { levels: ["warn"], fields: ["endpoint", "reason"], limit: fewPerEndpoint },
  "endpoint marked down": { levels: ["warn"], fields: ["endpoint", "reason"], limit: fewPerEndpoint },
  "endpoint taken back": { levels: ["info"], fields: ["endpoint", "reason"], limit: fewPerEndpoint },
  "log level changed": { levels: ["warn"], fields: ["newLevel", "reason"], limit: few },

  // Discovery.
  "endpoints changed": {
    levels: ["info"],
    fields: ["source", "reason", "added", "removed", "changed?"],
    limit: few,
  },
  "discovery failed": { levels: ["warn", "error"], fields: ["source", "reason", "lastGood?"], limit: few },
  "discovery recovered": { levels: ["info"], fields: ["source", "failedFor"], limit: few },
  "discovery unsecured": { levels: ["warn"], fields: ["source", "reason"], limit: few },
  "endpoint rejected": { levels: ["warn"], fields: ["source", "endpoint", "reason"], limit: many },
  "endpoint unreachable": { levels: ["warn"], fields: ["source", "endpoint", "reason"], limit: many },
  "endpoint unresolved": { levels: ["warn"], fields: ["endpoint", "reason"], limit: many },
  "endpoint resolved": { levels: ["info"], fields: ["endpoint"], limit: many },
  "endpoint duplicated": { levels: ["warn"], fields: ["endpoint"] },
  "remembered endpoints used": {
    levels: ["warn"],
    fields: ["endpoints", "saved", "age", "reason"],
    limit: few,
  },
  "remembered endpoints dropped": { levels: ["info"], fields: ["usedFor"], limit: few },
  "remembered addresses used": {
    levels: ["warn"],
    fields: ["host", "addresses", "saved", "age", "reason"],
    limit: many,
  },
  "remembered addresses dropped": { levels: ["info"], fields: ["host"], limit: many },
  "state file ignored": { levels: ["warn", "info"], fields: ["file", "reason"] },
  "state file not written": { levels: ["warn"], fields: ["file", "reason"], limit: few },
  "state file written again": { levels: ["info"], fields: ["file", "failedFor"], limit: few },
  "address rejected": { levels: ["warn"], fields: ["reason"], limit: many },
  "credentials exposed": { levels: ["warn"], fields: ["reason"], limit: few },
  "credentials invalid": { levels: ["warn"], fields: ["reason"], limit: few },

  // Health checks.
  "health check type": { levels: ["info"], fields: ["endpoint", "check", "note?"], limit: fewPerEndpoint },
  "health check": { levels: ["trace"], fields: ["endpoint", "check", "note?", "reason?", "tookMs"] },
  "health checks unavailable": { levels: ["error"], fields: ["reason"], limit: few },

  // Cluster identity.
  "cluster identified": {
    levels: ["info", "warn"],
    fields: ["clusterId", "reason", "members", "others?"],
    limit: few,
  },
  "cluster unknown": { levels: ["info"], fields: ["endpoints", "reason"], limit: few },
  "wrong cluster": {
    levels: ["warn", "error"],
    fields: ["clusterId", "members", "others", "reason"],
    limit: few,
  },
  "wrong cluster over": { levels: ["info"], fields: ["clusterId", "lasted"], limit: few },
  "cluster rebuilt": { levels: ["warn"], fields: ["clusterId", "former", "members", "reason"], limit: few },

  // Failover.
  "pool changed": { levels: ["debug"], fields: ["added", "removed"] },
  "endpoint down": { levels: ["warn"], fields: ["endpoint", "reason", "retryIn"], limit: fewPerEndpoint },
  "endpoint still down": {
    levels: ["info"],
    fields: ["endpoint", "reason", "retryIn"],
    limit: fewPerEndpoint,
  },
  "endpoint up": { levels: ["info"], fields: ["endpoint", "downFor"], limit: fewPerEndpoint },
  failover: { levels: ["info"], fields: ["from", "to", "reason"], limit: { times: 10, per: "to" } },
  panic: { levels: ["warn"], fields: ["cause", "endpoints", "reason"], limit: few },
  "panic over": { levels: ["info"], fields: ["lasted"], limit: few },
  "closing connections": {
    levels: ["info"],
    fields: ["endpoint", "connections", "within", "reason"],
    limit: fewPerEndpoint,
  },
  "recycling connections": { levels: ["info"], fields: ["endpoint", "connections", "reason"], limit: few },
  "selector failed": { levels: ["error"], fields: ["reason"], limit: once },

  // Connections.
  accepted: { levels: ["debug"], fields: ["connection", "client"] },
  "dial failed": { levels: ["debug"], fields: ["connection", "endpoint", "reason"] },
  connected: { levels: ["debug"], fields: ["connection", "endpoint", "address", "dialMs"] },
  closed: {
    levels: ["debug"],
    fields: ["connection", "endpoint", "end", "reason?", "bytesFromClient", "bytesFromBackend"],
  },
  unserved: { levels: ["debug"], fields: ["connection", "reason"] },
  "client unserved": { levels: ["warn"], fields: ["reason"], limit: once },
  "connection limit reached": { levels: ["warn"], fields: ["limit"], limit: once },
  "accept failed": { levels: ["error"], fields: ["reason"], limit: few },
  "self dial": { levels: ["error"], fields: ["endpoint", "reason"], limit: once },
} as const satisfies { readonly [message: string]: LogEvent };

/** The message of an event. */
export type EventName = keyof typeof logEvents;

type Names<Name extends EventName> = (typeof logEvents)[Name]["fields"][number];

/** The fields of an event. */
export type FieldsOf<Name extends EventName> = {
  readonly [Field in Names<Name> as Field extends `${string}?` ? never : Field]: unknown;
} & {
  readonly [Field in Names<Name> as Field extends `${infer Optional}?` ? Optional : never]?: unknown;
};
