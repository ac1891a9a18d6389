import { type Endpoint, GatewayError } from "@gw/interface";
import { manualClock } from "@gw/testing";
import { expect, test } from "vitest";
import { createEventLog } from "./event-log.js";
import { createLog } from "./lines.js";
import { logObserver } from "./observer.js";

const endpoint: Endpoint = { host: "a", port: 2379, priority: 0, weight: 0 };
const error = new GatewayError("refused", "connection refused");

function rig() {
  const lines: { msg: string; suppressed?: number }[] = [];
  const clock = manualClock();
  const log = createLog("info", line => lines.push(JSON.parse(line)));
  return { observer: logObserver(createEventLog(log, clock)), clock, lines };
}

test("what can happen to every client is logged once a minute, and then how often it was not", async () => {
  const { observer, clock, lines } = rig();
  for (let limit = 1; limit <= 5; limit++) observer.limitReached?.({ limit });
  expect(lines).toMatchObject([{ msg: "connection limit reached", limit: 1 }]);
  await clock.advance(60_000);
  expect(lines.slice(1)).toMatchObject([{ msg: "connection limit reached", limit: 5, suppressed: 3 }]);
  await clock.advance(600_000);
  expect(lines).toHaveLength(2);
  observer.limitReached?.({ limit: 6 });
  expect(lines[2]).toMatchObject({ limit: 6 });
  expect(lines[2]).not.toHaveProperty("suppressed");
});

test("what was not logged is at the end of the process, with its number", () => {
  const lines: object[] = [];
  const log = createEventLog(
    createLog("info", line => lines.push(JSON.parse(line))),
    manualClock(),
  );
  for (let limit = 1; limit <= 5; limit++) log.write("connection limit reached", { limit });
  log.writeSuppressed();
  log.writeSuppressed();
  expect(lines).toMatchObject([{ limit: 1 }, { limit: 5, suppressed: 3 }]);
});

test("an endpoint that keeps failing is logged ten times a minute, and so is its recovery", () => {
  const { observer, lines } = rig();
  observer.endpointDown?.({ endpoint, error, retryInMs: 100 });
  for (let retry = 0; retry < 100; retry++) observer.endpointStillDown?.({ endpoint, error, retryInMs: 100 });
  observer.endpointUp?.({ endpoint, downMs: 10_000 });
  expect(lines).toHaveLength(12);
  expect(lines[0]?.msg).toBe("endpoint down");
  expect(lines.at(-1)?.msg).toBe("endpoint up");
});

test("no field takes the place of the line's own level", () => {
  const raw: string[] = [];
  const log = createLog("trace", line => raw.push(line));
  const observer = logObserver(createEventLog(log, manualClock()));
  observer.checkTypeChanged?.({ endpoint, check: "etcd /health", note: "shallow" });
  observer.checked?.({
    endpoint,
    verdict: { check: "tcp", scope: "endpoint", error },
    depth: "regular",
    tookMs: 1.234,
  });
  for (const line of raw) expect(line.match(/"level":/g)).toHaveLength(1);
  expect(raw.map(line => JSON.parse(line))).toMatchObject([
    { level: "info", msg: "health check type", check: "etcd /health", note: "shallow" },
    { level: "trace", msg: "health check", check: "tcp", reason: "connection refused", tookMs: 1.2 },
  ]);
});

test("a line names twenty endpoints, and the number of the others", () => {
  const { observer, lines } = rig();
  const many = Array.from({ length: 10_000 }, (_, index) => ({ ...endpoint, host: `e${index}` }));
  observer.discovered?.({ source: "srv", why: "it changed", added: many, removed: many, changed: many });
  observer.panic?.({ cause: "all-down", endpoints: many, error });
  expect(lines).toHaveLength(2);
  for (const line of lines) expect(JSON.stringify(line).length).toBeLessThan(3_000);
  const [changed] = lines as unknown as { added: string[] }[];
  expect([changed?.added.length, changed?.added[0], changed?.added[20]]).toEqual([
    21,
    "e0:2379",
    "and 9980 more",
  ]);
});
