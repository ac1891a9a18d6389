import { GatewayError } from "@gw/interface";
import { expect, test } from "vitest";
import { startAdmin } from "../../test/start.js";
import type { AdminActions } from "../contract/gateway.js";
import { maxChecks } from "./limits.js";

/** Actions that note their calls; an endpoint at port 1 is unknown, one at port 2 must not be held. */
function sampleActions(overrides: Partial<AdminActions> = {}) {
  const calls: unknown[][] = [];
  const note =
    (name: string) =>
    (endpoint?: string, ...rest: unknown[]): void => {
      calls.push([name, ...(endpoint === undefined ? [] : [endpoint]), ...rest]);
      if (endpoint === "a:1") throw new GatewayError("invalid-endpoint", "a:1 <b>");
      if (endpoint === "a:2") throw new GatewayError("refused", "a:2 is the last endpoint that is up");
    };
  const actions: AdminActions = {
    drain: note("drain"),
    markDown: note("markDown"),
    undrain: note("undrain"),
    check: async endpoint => (endpoint === "a:4" ? "no leader" : undefined),
    refresh: note("refresh"),
    setLogLevel(level) {
      if (level === "loud") throw new GatewayError("invalid-option", "loud");
      note("setLogLevel")(level);
    },
    ...overrides,
  };
  return { actions, calls };
}

async function post(url: string, headers: Record<string, string> = { "x-gw-action": "1" }, body?: string) {
  const answer = await fetch(url, { method: "POST", headers, ...(body === undefined ? {} : { body }) });
  return [answer.status, await answer.json()];
}

test("actions reach the gateway", async () => {
  const { actions, calls } = sampleActions();
  await using admin = await startAdmin({ actions });
  const act = (path: string) => post(`${admin.url}/actions/${path}`);
  for (const path of [
    "drain?endpoint=A:3",
    "down?endpoint=a:3&force=true",
    "undrain?endpoint=a:3",
    "refresh",
    "log-level?level=debug",
  ])
    expect([path, ...(await act(path))]).toEqual([path, 200, { done: true }]);
  expect(calls).toEqual([
    ["drain", "a:3", { force: false }],
    ["markDown", "a:3", { force: true }],
    ["undrain", "a:3"],
    ["refresh"],
    ["setLogLevel", "debug"],
  ]);
  expect(await act("check?endpoint=a:3")).toEqual([200, { healthy: true }]);
  expect(await act("check?endpoint=a:4")).toEqual([200, { healthy: false, reason: "no leader" }]);
});

test.each([
  ["drain", 400, "endpoint is missing; it must be host:port or [IPv6]:port"],
  ["drain?endpoint=<script>", 400, "endpoint must be host:port or [IPv6]:port"],
  ["drain?endpoint=a:3&force=maybe", 400, "force must be true or false"],
  ["drain?endpoint=a:1", 404, "this gateway has no such endpoint"],
  ["down?endpoint=a:2", 409, "a:2 is the last endpoint that is up"],
  ["log-level", 400, "level must be trace, debug, info, warn, error or silent"],
  ["log-level?level=loud", 400, "level must be trace, debug, info, warn, error or silent"],
  ["log-level?level=<script>", 400, "level must be trace, debug, info, warn, error or silent"],
])("/actions/%s is answered with %i: %s", async (path, status, error) => {
  await using admin = await startAdmin({ actions: sampleActions().actions });
  expect(await post(`${admin.url}/actions/${path}`)).toEqual([status, { error }]);
});

test("without --admin-actions, without the header, and with GET nothing happens", async () => {
  const { actions, calls } = sampleActions();
  await using off = await startAdmin();
  expect(await post(`${off.url}/actions/refresh`)).toEqual([
    403,
    { error: "actions are off; start the gateway with --admin-actions to allow them" },
  ]);
  await using admin = await startAdmin({ actions });
  const url = `${admin.url}/actions/refresh`;
  for (const headers of [{}, { "x-gw-action": "0" }, { "x-gw-action": "1, 1" }])
    expect(await post(url, headers)).toEqual([403, { error: "an action needs the header x-gw-action: 1" }]);
  for (const method of ["GET", "HEAD", "PUT", "OPTIONS"]) {
    const answer = await fetch(url, { method, headers: { "x-gw-action": "1" } });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
  }
  expect(calls).toEqual([]);
});

test("a form of a foreign page, and its script, do nothing", async () => {
  const { actions, calls } = sampleActions();
  await using admin = await startAdmin({ actions });
  const url = `${admin.url}/actions/refresh`;
  const form = { "content-type": "application/x-www-form-urlencoded" };
  expect((await post(url, form, "a=b"))[0]).toBe(403);
  for (const origin of [
    "http://evil.example",
    "null",
    `http://127.0.0.1:${admin.port + 1}`,
    `${admin.url}.evil`,
  ]) {
    expect(await post(url, { "x-gw-action": "1", origin })).toEqual([
      403,
      { error: "the origin is another site" },
    ]);
  }
  expect(calls).toEqual([]);
  expect((await post(url, { "x-gw-action": "1", origin: admin.url }, "a=b"))[0]).toBe(200);
});

test("a check ends when its client leaves, and there are only so many at a time", async () => {
  let ended = 0;
  let begun = 0;
  const { actions } = sampleActions({
    check: (_, signal) =>
      new Promise((_resolve, reject) => {
        begun += 1;
        signal.addEventListener("abort", () => {
          ended += 1;
          reject(new GatewayError("aborted", "stopped"));
        });
      }),
  });
  await using admin = await startAdmin({ actions });
  const url = `${admin.url}/actions/check?endpoint=a:3`;
  const leave = new AbortController();
  const headers = { "x-gw-action": "1" };
  const checks = Array.from({ length: maxChecks }, () =>
    fetch(url, { method: "POST", headers, signal: leave.signal }).catch(() => {}),
  );
  await expect.poll(() => begun).toBe(maxChecks);
  expect((await post(url))[0]).toBe(409);
  leave.abort();
  await Promise.all(checks);
  await expect.poll(() => ended).toBe(maxChecks);
  expect(admin.errors).toEqual([]);
});
