import { formatAddress, type Observer } from "@gw/interface";
import type { KeptEvents } from "./kept-events.js";
import { more } from "./sentences.js";

const manyDials = (count: number): string => `Connections of clients to ${more(count)} failed`;

/** Records what goes wrong with connections of clients. */
export function clientEvents(events: KeptEvents): Observer {
  return {
    dialFailed({ endpoint, error }) {
      const name = formatAddress(endpoint);
      events.keep(
        {
          event: "dial failed",
          endpoint: name,
          reason: error.detail,
          data: { code: error.code },
          text: `A client's connection to ${name} failed: ${error.detail}.`,
        },
        { many: manyDials },
      );
    },
    closed({ endpoint, reason, error }) {
      if (reason !== "backend-failed" && reason !== "timed-out") return;
      const name = formatAddress(endpoint);
      const why = error?.detail ?? reason;
      events.keep({
        event: "closed",
        endpoint: name,
        reason: why,
        data: { reason, code: error?.code },
        text:
          reason === "timed-out"
            ? `A connection to ${name} was reset by a timeout: ${why}.`
            : `${name} reset or lost a connection: ${why}.`,
      });
    },
    unserved({ error, tries, reason }) {
      // A client that leaves by itself is no evidence.
      if (error.code === "aborted" || (reason !== undefined && reason !== "closed")) return;
      events.keep({
        event: "unserved",
        reason: error.detail,
        data: { code: error.code, tries },
        text: `A client was closed because no endpoint could serve it: ${error.detail}.`,
      });
    },
    limitReached({ limit }) {
      events.keep({
        event: "connection limit reached",
        data: { limit },
        text: `A client was refused because ${limit} connections are open, the limit.`,
      });
    },
    listenSkipped({ address, error }) {
      events.keep({
        event: "listen address skipped",
        reason: error.detail,
        data: { address: formatAddress(address) },
        text: `The gateway does not listen on ${formatAddress(address)}: ${error.detail}.`,
      });
    },
    acceptFailed({ error }) {
      events.keep({
        event: "accept failed",
        reason: error.detail,
        data: { code: error.code },
        text: `No client could be accepted: ${error.detail}.`,
      });
    },
  };
}
