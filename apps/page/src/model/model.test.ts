import { describe, expect, test } from "vitest";
import { allStates, endpoint, event, status } from "../../test/statuses.js";
import { news } from "./announce.js";
import { addEvent, eventsKept, readEvent } from "./events.js";
import { formatBytes, formatDuration, formatNumber, formatRelative, formatTime } from "./format.js";
import { endpointsShown, selectEndpoints } from "./order.js";
import { readStatus } from "./read-status.js";
import { summarize } from "./summary.js";

describe("a status", () => {
  test("passes unchanged", () => {
    const given = status({
      endpoints: allStates,
      panic: { cause: "cluster", since: "2026-11-29T08:00:00.000Z", reason: "no leader" },
      lastFailover: { at: "2026-11-29T08:00:00.000Z", from: "a:1", to: "b:1", reason: "refused" },
    });
    expect(JSON.parse(JSON.stringify(readStatus(given)))).toEqual(JSON.parse(JSON.stringify(given)));
  });

  test.each([
    undefined,
    null,
    7,
    "text",
    [],
    {},
    { endpoints: 7, connections: [], gateway: null, discovery: [null, 1], identity: { foreign: "a" } },
    { endpoints: [null, {}, { endpoint: 7, state: "new state", check: 7, facts: [], totals: "" }] },
    { connections: { open: "many", dialCounts: {}, dialBucketsMs: null }, panic: { cause: "new cause" } },
  ])("with absent or unknown fields is readable: %j", given => {
    const read = readStatus(given);
    expect(read.connections.open).toBe(0);
    expect(summarize(read).text).not.toBe("");
    expect(selectEndpoints(read.endpoints, "x").matching).toBe(0);
  });
});

describe("events", () => {
  test("are in the order of their ids, and a repeated one replaces the one before", () => {
    const added = [event(1, "one"), event(3, "three"), event(2, "two"), event(3, "three", { count: 2 })];
    const events = added.reduce(addEvent, [] as ReturnType<typeof addEvent>);
    expect(events.map(({ text, count }) => [text, count])).toEqual([
      ["one", undefined],
      ["two", undefined],
      ["three", 2],
    ]);
  });

  test("are bounded", () => {
    let events: ReturnType<typeof addEvent> = [];
    for (let id = 1; id <= eventsKept + 10; id++) events = addEvent(events, event(id, "text"));
    expect(events.length).toBe(eventsKept);
    expect(events.at(-1)?.id).toBe(eventsKept + 10);
  });

  test("without an id are left out, without a text have their name", () => {
    expect(readEvent({ text: "a" })).toBeUndefined();
    expect(readEvent({ id: 1, event: "failover" })?.text).toBe("failover");
  });
});

describe("endpoints", () => {
  const many = Array.from({ length: 10_000 }, (_, index) =>
    endpoint(`10.1.${index >> 8}.${index & 255}:2379`),
  );

  test("are in the order of the set where all are shown", () => {
    expect(selectEndpoints(allStates, "").shown).toEqual(allStates);
  });

  test("are shown by importance where there are too many", () => {
    const inUse = endpoint("z:1", { inUse: true });
    const down = endpoint("y:1", { state: "down" });
    const { shown, matching } = selectEndpoints([...many, down, inUse], "");
    expect(matching).toBe(10_002);
    expect(shown.length).toBe(endpointsShown);
    expect(shown.slice(0, 2)).toEqual([inUse, down]);
  });

  test.each([
    ["10.1.39.15:", 1],
    ["leader", 1],
    ["DOWN refused", 1],
    ["nothing like this", 0],
  ])("are found by %j", (filter, expected) => {
    expect(selectEndpoints([...many, ...allStates], filter).matching).toBe(expected);
  });
});

describe("the summary", () => {
  const up = endpoint("a:1");
  const down = endpoint("b:1", { state: "down" });
  const { connections } = status();
  test.each([
    ["good", "Serving clients; 3 of 3 endpoints up.", {}],
    ["warning", "Serving clients; 1 of 2 endpoints up.", { endpoints: [up, down] }],
    ["bad", "No endpoint is up.", { endpoints: [down] }],
    ["bad", "The gateway has no endpoints.", { endpoints: [] }],
    ["bad", "Panic: all endpoints are down", { panic: { cause: "all-down", since: "", reason: "refused" } }],
    ["warning", "1 client waits for an answer", { connections: { ...connections, waiting: 1 } }],
    ["warning", "2 clients wait for an answer", { connections: { ...connections, waiting: 2 } }],
    ["warning", "Serving clients", { identity: { foreign: [{ endpoint: "c:1", clusterId: "2f" }] } }],
    ["warning", "The gateway is draining", { gateway: { ...status().gateway, state: "draining" as const } }],
  ] as const)("is %s: %s", (level, text, more) => {
    const summary = summarize(status(more as Parameters<typeof status>[0]));
    expect(summary.level).toBe(level);
    expect(summary.text).toContain(text);
  });
});

describe("news for screen readers", () => {
  const failover = { at: "2026-11-29T08:00:00.000Z", from: "a:1", to: "b:1", reason: "refused" };
  test("are failovers, and endpoints that are all down", () => {
    const down = status({ endpoints: [endpoint("a:1", { state: "down" })] });
    expect(news(undefined, status({ lastFailover: failover }))).toBeUndefined();
    expect(news(status(), status())).toBeUndefined();
    expect(news(status(), status({ lastFailover: failover }))).toBe("Failover from a:1 to b:1.");
    expect(news(status(), down)).toBe("No endpoint is up.");
    expect(news(down, status())).toBe("An endpoint is up again.");
  });
});

describe("formats", () => {
  const now = new Date(2026, 10, 29, 10, 21, 5).getTime();
  test("say numbers in three digits", () => {
    expect([0, 999, 1_000, 1_234_567, 4e15].map(formatBytes)).toEqual([
      "0 B",
      "999 B",
      "1 kB",
      "1.2 MB",
      "4 PB",
    ]);
    expect([0, 0.4, 12, 1_500, 59_980, 7_200_000, 2e8].map(formatDuration)).toEqual([
      "0 ms",
      "0.4 ms",
      "12 ms",
      "1.5 s",
      "1 min",
      "2 h",
      "2 d",
    ]);
    expect([0, 3.14, 9_999, 12_345, 2e6].map(formatNumber)).toEqual(["0", "3.1", "9999", "12 k", "2 M"]);
  });

  test("say times", () => {
    expect(formatTime(now, now)).toBe("10:21:05");
    expect(formatTime(now - 86_400_000, now)).toBe("2026-11-28 10:21:05");
    expect([-30_000, 0, 999, 12_400].map(ago => formatRelative(now - ago, now))).toEqual([
      "in 30 s",
      "now",
      "now",
      "12 s ago",
    ]);
  });
});
