import type { EventsAnswer, RecordedEvent } from "@gw/admin";
import { endpointState } from "./explain-endpoint.js";
import { explainUnready, explainUnused } from "./explain-unready.js";
import {
  type Explanation,
  isAbout,
  isGrouped,
  type Known,
  lastOf,
  listed,
  unknownPart,
} from "./explanation.js";

/** Evidence that is older than this before a switch does not belong to it, in milliseconds. */
const evidenceMs = 600_000;
/** What is told of the time after a switch where it is about one of its two endpoints. */
const afterwards = new Set(["endpoint up", "endpoint down", "endpoint still down", "health check"]);
/** What is told of the time after a switch, whatever endpoint it is about. */
const alwaysAfterwards = new Set([
  "panic",
  "panic over",
  "endpoint drained",
  "endpoint marked down",
  "endpoint taken back",
  "endpoints changed",
  "unserved",
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
      event.id > failover.id &&
      (alwaysAfterwards.has(event.event) ||
        (afterwards.has(event.event) && (isAbout(event, from) || isAbout(event, to) || isGrouped(event)))),
  );
  const { inUse } = status;
  const moved = pick && pick.id > failover.id && pick.event === "pick changed";
  const isUp = status.endpoints.some(({ endpoint, state }) => endpoint === to && state === "up");
  return {
    lines: [
      ...explainUnready(known),
      `The last switch was at ${time.full(failover.at)} (${time.distance(failover.at)} ago), from ${from} to ${to}.`,
      `The reason: ${failover.reason ?? "unknown"}.`,
      "",
      `What led to it (times are ${time.offset}):`,
      ...listed(evidence, time),
      ...(since.length > 0 ? ["", "Since then:", ...listed(since, time)] : []),
      "",
      ...(inUse === to && !moved
        ? [isUp ? `New connections have gone to ${to} since.` : `The newest connection went to ${to}.`]
        : []),
      ...(moved
        ? [
            `Since then the policy has changed the endpoint itself, the last time at ${time.short(pick.lastAt ?? pick.at)}.${inUse === undefined ? "" : ` The newest connection went to ${inUse}.`}`,
          ]
        : []),
      ...(inUse === undefined ? explainUnused(known) : []),
      ...(isUp ? [] : endpointState(known, to)),
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
        isGrouped(event) ||
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

/** What is told where there was no switch. */
const failureEvents = new Set([
  "endpoint down",
  "panic",
  "endpoint drained",
  "endpoint marked down",
  "endpoint taken back",
  "unserved",
]);

function withoutFailover(known: Known, pick: RecordedEvent | undefined): Explanation {
  const { status, time, answer } = known;
  const failures = answer.events.filter(({ event }) => failureEvents.has(event));
  const { inUse } = status;
  return {
    lines: [
      ...explainUnready(known),
      "No switch because of a failure is recorded.",
      ...(pick?.event === "pick changed"
        ? [
            `The policy (${status.gateway.selector}) has changed the endpoint ${pick.count === undefined ? "once" : `${pick.count} times`} itself, the last time at ${time.full(pick.lastAt ?? pick.at)}.`,
          ]
        : []),
      ...(inUse === undefined
        ? explainUnused(known)
        : [
            `The newest connection went to ${inUse}${pick?.event === "first pick" ? `, as all since ${time.full(pick.at)}` : ""}.`,
          ]),
      ...(failures.length > 0
        ? ["", `Failures, and what operators did (times are ${time.offset}):`, ...listed(failures, time), ""]
        : []),
      ...unknownPart(known),
    ],
    evidence: [...(pick ? [pick] : []), ...failures],
  };
}

function unknownIfShort(known: Known): readonly string[] {
  return known.answer.dropped > 0 ? unknownPart(known) : [];
}

function lastWith({ events }: EventsAnswer, names: readonly string[]): RecordedEvent | undefined {
  return events.findLast(({ event }) => names.includes(event));
}
