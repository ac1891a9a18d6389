import type { EndpointView } from "@gw/admin";

/** How many endpoints are shown; the filter finds the others. */
export const endpointsShown = 100;

/** The endpoints to show, the most important first, and how many match the filter. */
export interface Selection {
  readonly shown: readonly EndpointView[];
  readonly matching: number;
}

/** Endpoints in the order of the set if all can be shown; else those first that are in use or need attention. */
export function selectEndpoints(endpoints: readonly EndpointView[], filter: string): Selection {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const matching =
    words.length === 0
      ? endpoints
      : endpoints.filter(one => {
          const text = searchable(one);
          return words.every(word => text.includes(word));
        });
  if (matching.length <= endpointsShown) return { shown: matching, matching: matching.length };
  const ranked = matching.map(one => ({ one, rank: rank(one) }));
  ranked.sort((first, second) => first.rank - second.rank);
  return { shown: ranked.slice(0, endpointsShown).map(({ one }) => one), matching: matching.length };
}

function searchable({ endpoint, state, hold, inUse, facts, reason }: EndpointView): string {
  const roles = [facts?.isLeader ? "leader" : "", facts?.isLearner ? "learner" : "", inUse ? "in use" : ""];
  return [endpoint, state, hold, reason, facts?.memberId, facts?.version, ...roles].join(" ").toLowerCase();
}

function rank({ inUse, waiting, state, connections, unhealthy, facts }: EndpointView): number {
  if (inUse) return 0;
  if (waiting > 0) return 1;
  if (connections > 0) return 2;
  if (facts?.isLeader) return 3;
  if (state === "foreign" || state === "held" || state === "draining") return 4;
  if (state === "down") return 5;
  return unhealthy ? 6 : 7;
}
