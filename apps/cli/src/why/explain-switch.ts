import type { EventsAnswer, RecordedEvent } from "@gw/admin";
import { endpointState } from "./explain-endpoint.js";
import { type Explanation, isAbout, type Known, lastOf, listed, unknownPart } from "./explanation.js";

/** Evidence that is older than this before a switch does not belong to it, in milliseconds. */
const evidenceMs = 600_000;
/** What changes nothing of what new connections use. */
const afterwards = new Set([
  "endpoint up",
  "endpoint down",
  "endpoint still down",
  "panic",
  "panic over",
  "health check",
]);

/** The last time that new connections began to go to another endpoint, and why. */
export function explainSwitch(known: Known): Explanation {
  const { answer, status, time } = known;
  const failover = lastWith(answer, ["failover"]);
  const pick = lastWith(answer, ["pick changed", "first pick"]);
  if (!failover) return withoutFailover(known, pick);
  const from = String(failover.data?.["from"] ?? "");
  const to = String(failover.data?.["to"] ?? "");
  const evidence = evidenceOf(answer, failover, from);
  const since = answer.events.filter(
    event =>
      event.id > failover.id && afterwards.has(event.event) && (isAbout(event, from) || isAbout(event, to)),
  );
  const { inUse } = status;
  const moved = pick && pick.id > failover.id && pick.event === "pick changed";
  return {
    lines: [
      `The last switch was at ${time.full(failover.at)} (${time.distance(failover.at)} ago), from ${from} to ${to}.`,
      `The reason: ${failover.reason ?? "unknown"}.`,
      "",
      `What led to it (times are ${time.offset}):`,
      ...listed(evidence, time),
      ...(since.length > 0 ? ["", "Since then:", ...listed(since, time)] : []),
      "",
      ...(inUse === to && !moved ? [`New connections have gone to ${to} since.`] : []),
      ...(moved
        ? [
            `Since then the policy has changed the endpoint itself, the last time at ${time.short(pick.lastAt ?? pick.at)}. The newest connection went to ${inUse ?? "an unknown endpoint"}.`,
          ]
        : []),
      ...endpointState(known, from),
      ...unknownIfShort(known),
    ],
    evidence: [...evidence, ...since],
  };
}

/** From the first sign of trouble of `from` to the switch. */
function evidenceOf(
  { events }: EventsAnswer,
  failover: RecordedEvent,
  from: string,
): readonly RecordedEvent[] {
  const at = lastOf(failover);
  const before = events.filter(
    event =>
      event.id <= failover.id &&
      lastOf(event) >= at - evidenceMs &&
      (isAbout(event, from) ||
        event.event === "panic" ||
        event.event === "unserved" ||
        event.id === failover.id),
  );
  // It was well when it was up again, or new connections had just moved to it.
  const healthy = before.findLastIndex(
    event =>
      event.id < failover.id &&
      ((event.event === "endpoint up" && event.endpoint === from) ||
        (event.event === "failover" && event.data?.["to"] === from)),
  );
  const relevant = before
    .slice(healthy + 1)
    .filter(event => !picks.has(event.event) && !(event.event === "pool changed" && hasAdded(event, from)));
  return relevant.length > 0 ? relevant : [failover];
}

/** Whether the event added this endpoint to a set: no trouble of it. */
function hasAdded({ data }: RecordedEvent, name: string): boolean {
  return JSON.stringify(data?.["added"] ?? "").includes(JSON.stringify(name));
}

const picks = new Set(["pick changed", "first pick"]);

function withoutFailover(known: Known, pick: RecordedEvent | undefined): Explanation {
  const { status, time, answer } = known;
  const down = answer.events.filter(({ event }) => event === "endpoint down" || event === "panic");
  const { inUse } = status;
  return {
    lines: [
      "No switch because of a failure is recorded.",
      ...(pick?.event === "pick changed"
        ? [
            `The policy (${status.gateway.selector}) has changed the endpoint ${pick.count === undefined ? "once" : `${pick.count} times`} itself, the last time at ${time.full(pick.lastAt ?? pick.at)}.`,
          ]
        : []),
      inUse === undefined
        ? "No client has been connected yet."
        : `The newest connection went to ${inUse}${pick?.event === "first pick" ? `, as all since ${time.full(pick.at)}` : ""}.`,
      ...(down.length > 0
        ? ["", `Failures of endpoints (times are ${time.offset}):`, ...listed(down, time), ""]
        : []),
      ...unknownPart(known),
    ],
    evidence: [...(pick ? [pick] : []), ...down],
  };
}

function unknownIfShort(known: Known): readonly string[] {
  return known.answer.dropped > 0 ? unknownPart(known) : [];
}

function lastWith({ events }: EventsAnswer, names: readonly string[]): RecordedEvent | undefined {
  return events.findLast(({ event }) => names.includes(event));
}
