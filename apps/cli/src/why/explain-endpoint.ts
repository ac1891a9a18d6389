import type { EndpointView } from "@gw/admin";
import { type Explanation, isAbout, isGrouped, type Known, listed, unknownPart } from "./explanation.js";
import { spanOf } from "./local-time.js";

/** The state of an endpoint, since when and why, what is next, and its history. */
export function explainEndpoint(known: Known, name: string): Explanation {
  const { answer, time, status } = known;
  const history = answer.events.filter(event => isAbout(event, name));
  const view = viewOf(known, name);
  return {
    lines: [
      ...endpointState(known, name),
      ...(view ? details(known, view) : []),
      ...(view && !view.inUse && view.state === "up" && status.inUse !== undefined
        ? [`New connections go to ${status.inUse}.`]
        : []),
      "",
      ...(history.length > 0
        ? [`Its history (times are ${time.offset}):`, ...listed(history, time)]
        : ["No event of it is recorded."]),
      ...uncertain(known, name),
      "",
      ...unknownPart(known),
    ],
    evidence: history,
  };
}

/** How many events are kept only as a count, so that some of them may be of this endpoint. */
function uncertain({ answer, time }: Known, name: string): readonly string[] {
  const groups = answer.events.filter(event => isGrouped(event) && !isAbout(event, name));
  const [first] = groups;
  if (!first) return [];
  const count = groups.reduce((sum, group) => sum + (group.count ?? 1), 0);
  return [
    `${count === 1 ? "1 event" : `${count} events`} of many endpoints at once, the first at ${time.short(first.at)}, ${count === 1 ? "is" : "are"} kept as a count: some may be of ${name}.`,
  ];
}

/** Its state, since when, why and what is next, in sentences. */
export function endpointState(known: Known, name: string): readonly string[] {
  const { time } = known;
  const view = viewOf(known, name);
  if (!view) return [`${name} is not an endpoint of this gateway now.`];
  const { state, reason, retryAt, since } = view;
  const sinceThen = `since ${time.full(since)} (for ${time.distance(since)})`;
  const because = reason === undefined ? "" : `: ${reason}`;
  switch (state) {
    case "up":
      return [
        `${name} is up ${sinceThen}${view.inUse ? ", and the newest connection went to it" : ""}.`,
        ...(view.unhealthy ? [`It is used although its health check failed${because}.`] : []),
      ];
    case "down":
      return [
        `${name} is down ${sinceThen}${because}.`,
        retryAt === undefined
          ? "When it is tried again is not known."
          : new Date(retryAt).getTime() > new Date(known.status.gateway.now).getTime()
            ? `It is tried again at ${time.short(retryAt)}, in ${time.distance(retryAt)}.`
            : "It is being tried again now.",
      ];
    case "held":
      return [
        `An operator has ${view.hold === "down" ? "marked down" : "drained"} ${name} ${sinceThen}: it gets no connections until 'gw undrain ${name}'.`,
      ];
    case "draining":
      return [`${name} is no longer an endpoint ${sinceThen}, and still has connections${because}.`];
    case "foreign":
      return [`${name} belongs to another cluster, and is not used${because}.`];
  }
}

function viewOf({ status }: Known, name: string): EndpointView | undefined {
  return status.endpoints.find(({ endpoint }) => endpoint === name);
}

function details(
  { time }: Known,
  { check, connections, waiting, longestWaitMs }: EndpointView,
): readonly string[] {
  const waits =
    waiting === 0
      ? ""
      : `, ${waiting} of whose clients wait for an answer, the longest for ${spanOf(longestWaitMs)}`;
  return [
    `It has ${connections === 1 ? "1 connection" : `${connections} connections`}${waits}.`,
    ...(check
      ? [
          `Its newest health check (${check.type}), at ${time.short(check.at)}, ${check.healthy ? "succeeded" : `failed: ${check.reason ?? "the reason is unknown"}`}.`,
        ]
      : ["No health check of it is known."]),
  ];
}
