import type { Level } from "./lines.js";

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
  reloading: { levels: ["info"], fields: ["signal"] },
  "reload failed": { levels: ["error"], fields: ["why"] },
  "certificates reloaded": { levels: ["info"], fields: [] },
  "certificates invalid": { levels: ["warn"], fields: ["why"] },
  draining: { levels: ["info"], fields: ["signal", "connections", "grace"] },
  stopped: { levels: ["info"], fields: ["cut"] },
  "relay fallback": { levels: ["warn"], fields: ["relay", "why"] },
  "listen address skipped": { levels: ["warn"], fields: ["address", "why"] },
  "connection limit lowered": { levels: ["warn"], fields: ["requested", "limit", "why"] },
  "user timeout too short": { levels: ["warn"], fields: ["userTimeout", "keepalive", "why"] },
  "unknown environment variables": { levels: ["warn"], fields: ["variables", "more?"] },
  "service manager unreachable": { levels: ["warn"], fields: ["why"] },
  "signal ignored": { levels: ["info"], fields: ["signal"] },
  "log lines dropped": { levels: ["warn"], fields: ["dropped"] },
  warning: { levels: ["warn"], fields: ["warning", "why", "stack?"], limit: few },
  "unexpected error": { levels: ["error"], fields: ["why"] },
  "fatal error": { levels: ["error"], fields: ["why", "stack?"] },

  // Discovery.
  "endpoints changed": { levels: ["info"], fields: ["source", "why", "added", "removed", "changed?"] },
  "discovery failed": { levels: ["warn", "error"], fields: ["source", "why", "lastGood?"], limit: few },
  "discovery recovered": { levels: ["info"], fields: ["source", "failedFor"] },
  "discovery unsecured": { levels: ["warn"], fields: ["source", "why"] },
  "endpoint rejected": { levels: ["warn"], fields: ["source", "endpoint", "why"], limit: many },
  "endpoint unreachable": { levels: ["warn"], fields: ["source", "endpoint", "why"] },
  "endpoint unresolved": { levels: ["warn"], fields: ["endpoint", "why"], limit: many },
  "endpoint resolved": { levels: ["info"], fields: ["endpoint"], limit: many },
  "endpoint duplicated": { levels: ["warn"], fields: ["endpoint"] },
  "remembered endpoints used": { levels: ["warn"], fields: ["endpoints", "saved", "age", "why"] },
  "remembered endpoints dropped": { levels: ["info"], fields: ["usedFor"] },
  "remembered addresses used": {
    levels: ["warn"],
    fields: ["host", "addresses", "saved", "age", "why"],
    limit: many,
  },
  "remembered addresses dropped": { levels: ["info"], fields: ["host"], limit: many },
  "state file ignored": { levels: ["warn", "info"], fields: ["file", "why"] },
  "state file not written": { levels: ["warn"], fields: ["file", "why"], limit: few },
  "state file written again": { levels: ["info"], fields: ["file", "failedFor"], limit: few },
  "address rejected": { levels: ["warn"], fields: ["why"], limit: many },
  "credentials exposed": { levels: ["warn"], fields: ["why"] },
  "credentials invalid": { levels: ["warn"], fields: ["why"] },

  // Health checks.
  "health check type": { levels: ["info"], fields: ["endpoint", "check", "note?"], limit: fewPerEndpoint },
  "health check": { levels: ["trace"], fields: ["endpoint", "check", "note?", "why?", "tookMs"] },
  "health checks unavailable": { levels: ["error"], fields: ["why"] },

  // Cluster identity.
  "cluster identified": {
    levels: ["info", "warn"],
    fields: ["clusterId", "why", "members", "others?"],
    limit: few,
  },
  "cluster unknown": { levels: ["info"], fields: ["endpoints", "why"], limit: few },
  "wrong cluster": {
    levels: ["warn", "error"],
    fields: ["clusterId", "members", "others", "why"],
    limit: few,
  },
  "wrong cluster over": { levels: ["info"], fields: ["clusterId", "lasted"], limit: few },
  "cluster rebuilt": { levels: ["warn"], fields: ["clusterId", "former", "members", "why"], limit: few },

  // Failover.
  "pool changed": { levels: ["debug"], fields: ["added", "removed"] },
  "endpoint down": { levels: ["warn"], fields: ["endpoint", "why", "retryIn"], limit: fewPerEndpoint },
  "endpoint still down": { levels: ["info"], fields: ["endpoint", "why", "retryIn"], limit: fewPerEndpoint },
  "endpoint up": { levels: ["info"], fields: ["endpoint", "downFor"], limit: fewPerEndpoint },
  failover: { levels: ["info"], fields: ["from", "to", "why"], limit: { times: 10, per: "to" } },
  panic: { levels: ["warn"], fields: ["cause", "endpoints", "why"], limit: few },
  "panic over": { levels: ["info"], fields: ["lasted"], limit: few },
  "closing connections": {
    levels: ["info"],
    fields: ["endpoint", "connections", "within", "why"],
    limit: fewPerEndpoint,
  },
  "recycling connections": { levels: ["info"], fields: ["endpoint", "connections", "why"], limit: few },
  "selector failed": { levels: ["error"], fields: ["why"], limit: once },

  // Connections.
  accepted: { levels: ["debug"], fields: ["connection", "client"] },
  "dial failed": { levels: ["debug"], fields: ["connection", "endpoint", "why"] },
  connected: { levels: ["debug"], fields: ["connection", "endpoint", "address", "dialMs"] },
  closed: {
    levels: ["debug"],
    fields: ["connection", "endpoint", "reason", "why?", "bytesFromClient", "bytesFromBackend"],
  },
  unserved: { levels: ["debug"], fields: ["connection", "why"] },
  "client unserved": { levels: ["warn"], fields: ["why"], limit: once },
  "connection limit reached": { levels: ["warn"], fields: ["limit"], limit: once },
  "accept failed": { levels: ["error"], fields: ["why"], limit: few },
  "self dial": { levels: ["error"], fields: ["endpoint", "why"], limit: once },
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
