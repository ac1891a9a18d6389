import { formatAddress, type Observer } from "@gw/interface";
import type { KeptEvents } from "./kept-events.js";
import { countOf, listOf, setOf, timeOf } from "./sentences.js";

/** Records where endpoints come from, and which are used. */
export function sourceEvents(events: KeptEvents): Observer {
  return {
    discovered({ source, why, added, removed, changed }) {
      const parts = [
        ...(added.length > 0 ? [`${listOf(added)} added`] : []),
        ...(removed.length > 0 ? [`${listOf(removed)} removed`] : []),
        ...(changed.length > 0 ? [`priority, weight or TLS of ${listOf(changed)} changed`] : []),
      ];
      events.keep(
        {
          event: "endpoints changed",
          reason: why,
          data: { source, added: setOf(added), removed: setOf(removed), changed: setOf(changed) },
          text: `The endpoints of ${source} have changed (${why}): ${parts.join("; ") || "no difference"}.`,
        },
        { isDecision: true, repeatMs: 0 },
      );
    },
    discoveryFailed({ source, error, ageMs }) {
      const then =
        ageMs === undefined ? "It was never read." : `Its set, read ${timeOf(ageMs)} ago, stays in use.`;
      events.keep({
        event: "discovery failed",
        reason: error.detail,
        data: { source, code: error.code, ageMs },
        text: `${source} cannot be read: ${error.detail}. ${then}`,
      });
    },
    discoveryRecovered({ source, failedMs }) {
      events.keep({
        event: "discovery recovered",
        data: { source, failedMs },
        text: `${source} can be read again, after ${timeOf(failedMs)}.`,
      });
    },
    unsecured({ source, why }) {
      events.keep({
        event: "discovery unsecured",
        reason: why,
        data: { source },
        text: `${source} is used without TLS: ${why}`,
      });
    },
    endpointUnreachable({ source, endpoint, error }) {
      const name = formatAddress(endpoint);
      events.keep({
        event: "endpoint unreachable",
        endpoint: name,
        reason: error.detail,
        data: { source, code: error.code },
        text: `${name} of ${source} accepts no connection from here: ${error.detail}. It is used anyway.`,
      });
    },
    endpointRejected({ source, endpoint, error }) {
      const name = formatAddress(endpoint);
      events.keep({
        event: "endpoint rejected",
        endpoint: name,
        reason: error.detail,
        data: { source, code: error.code },
        text: `${name} of ${source} is not used: ${error.detail}.`,
      });
    },
    poolChanged({ added, removed }) {
      const parts = [
        ...(added.length > 0 ? [`${listOf(added)} can be picked from now on`] : []),
        ...(removed.length > 0 ? [`${listOf(removed)} cannot any more`] : []),
      ];
      events.keep(
        {
          event: "pool changed",
          data: { added: setOf(added), removed: setOf(removed) },
          text: `${countOf(added.length + removed.length, "endpoint")} of the pool changed: ${parts.join("; ")}.`,
        },
        { isDecision: true, repeatMs: 0 },
      );
    },
  };
}
