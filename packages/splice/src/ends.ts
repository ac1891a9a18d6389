import { GatewayError, type RelayEnd, type RelaySettings } from "@gw/interface";
import { systemError } from "./binding.js";

/** `enum event_kind` of the engine. */
export const kinds = { accepted: 1, connected: 2, dialFailed: 3, ended: 4, acceptFailed: 5 } as const;

/** `enum reason` of the engine, in its order. */
const reasons = [
  "finished",
  "client-failed",
  "backend-failed",
  "idle",
  "half-closed",
  "stalled",
  "closed",
  "aborted",
] as const;

/** Which side ended first, as the engine numbers it. */
const sides = [undefined, "client", "backend"] as const;

/** How a connection ended, of the event at `at`. */
export function endOf(events: Float64Array, at: number, settings: RelaySettings): RelayEnd {
  const how = events[at + 2] as number;
  const endedFirst = sides[how >> 8];
  const end = howOf(reasons[how & 0xff] ?? "aborted", events, at, settings);
  return endedFirst ? { ...end, endedFirst } : end;
}

function howOf(
  reason: (typeof reasons)[number],
  events: Float64Array,
  at: number,
  settings: RelaySettings,
): RelayEnd {
  const bytesFromClient = events[at + 4] as number;
  const bytesFromBackend = events[at + 5] as number;
  switch (reason) {
    case "client-failed":
    case "backend-failed": {
      const side = reason === "client-failed" ? "client" : "backend";
      const error = GatewayError.from(systemError(events[at + 3] as number, "read"), side);
      return { reason, error, bytesFromClient, bytesFromBackend };
    }
    case "idle":
    case "half-closed":
    case "stalled": {
      const error = new GatewayError("timed-out", timeouts[reason](settings));
      return { reason: "timed-out", error, bytesFromClient, bytesFromBackend };
    }
    case "aborted": {
      const errno = events[at + 3] as number;
      const error =
        errno === 0 ? {} : { error: GatewayError.from(systemError(errno, "relay"), "this machine") };
      return { reason, ...error, bytesFromClient, bytesFromBackend };
    }
    default:
      return { reason, bytesFromClient, bytesFromBackend };
  }
}

const timeouts = {
  idle: ({ idleTimeoutMs }: RelaySettings) => `no byte in either direction for ${idleTimeoutMs} ms`,
  "half-closed": ({ halfCloseTimeoutMs }: RelaySettings) =>
    `half-closed, and no byte for ${halfCloseTimeoutMs} ms`,
  stalled: ({ writeTimeoutMs }: RelaySettings) =>
    `one side took none of the bytes that waited for it for ${writeTimeoutMs} ms`,
};
