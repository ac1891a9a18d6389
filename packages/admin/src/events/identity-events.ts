import type { HealthObserver } from "@gw/interface";
import type { KeptEvents } from "./kept-events.js";
import { listOf, setOf, timeOf } from "./sentences.js";

/** Records which cluster the endpoints belong to. */
export function identityEvents(events: KeptEvents): HealthObserver {
  return {
    clusterIdentified({ clusterId, reason, members, foreign, from }) {
      const before = from === undefined ? "" : ` It was ${from} before.`;
      events.keep(
        {
          event: from === undefined ? "cluster identified" : "cluster rebuilt",
          reason,
          data: {
            clusterId,
            from,
            members: setOf(members),
            foreign: setOf(foreign.map(({ endpoint }) => endpoint)),
          },
          text: `Members of cluster ${clusterId} are used (${reason}).${before}`,
        },
        { isDecision: true, repeatMs: 0 },
      );
    },
    wrongCluster({ clusterId, members, foreign, isAnyUsed }) {
      const endpoints = foreign.map(({ endpoint }) => endpoint);
      events.keep(
        {
          event: "wrong cluster",
          data: { clusterId, isAnyUsed, members: setOf(members), foreign: setOf(endpoints) },
          text: `${listOf(endpoints)} ${endpoints.length === 1 ? "belongs" : "belong"} to another cluster than ${clusterId} and ${endpoints.length === 1 ? "is" : "are"} not used.${isAnyUsed ? "" : " No endpoint is left."}`,
        },
        { isDecision: true, repeatMs: 0 },
      );
    },
    wrongClusterOver({ clusterId, lastedMs }) {
      events.keep({
        event: "wrong cluster over",
        data: { clusterId, lastedMs },
        text: `No endpoint belongs to another cluster than ${clusterId} any more, after ${timeOf(lastedMs)}.`,
      });
    },
    clusterUnknown({ endpoints }) {
      events.keep({
        event: "cluster unknown",
        data: setOf(endpoints),
        text: `${listOf(endpoints)} cannot say which cluster they belong to, and are used.`,
      });
    },
  };
}
