import { discoveryCompliance } from "@gw/compliance";
import type { Endpoint } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { parseEndpoints } from "./parse.js";
import { staticEndpoints } from "./static.js";

const { signal } = new AbortController();

/** All sets that a watch yields. */
async function setsOf(endpoints: readonly Endpoint[]): Promise<(readonly Endpoint[])[]> {
  const sets = [];
  for await (const set of staticEndpoints(endpoints).watch({ signal })) sets.push(set);
  return sets;
}

describe("static endpoints", () => {
  const { endpoints } = parseEndpoints("infra0,https://infra1:7001,[::1]");
  for (const { name, run } of discoveryCompliance({ make: () => staticEndpoints(endpoints), endpoints }))
    test(name, run);
});

describe("static endpoints that are neither frozen nor distinct", () => {
  const given = [
    { host: "infra0", port: 2379, priority: 0, weight: 5 },
    { host: "infra1", port: 2379, priority: 0, weight: 0 },
    { host: "infra0", port: 2379, priority: 1, weight: 0 },
  ];
  const endpoints = given.slice(0, 2);
  for (const { name, run } of discoveryCompliance({ make: () => staticEndpoints(given), endpoints }))
    test(name, run);

  test("of duplicates, the first counts", async () => {
    expect(await setsOf(given)).toEqual([endpoints]);
  });
});

test("static endpoints are yielded once, in their order, and then the watch ends", async () => {
  const { endpoints } = parseEndpoints("c,a,b");
  expect(await setsOf(endpoints)).toEqual([endpoints]);
});

test("later changes of the list have no effect", async () => {
  const endpoints = [{ host: "infra0", port: 2379, priority: 0, weight: 0 }];
  const discovery = staticEndpoints(endpoints);
  endpoints.length = 0;
  for await (const set of discovery.watch({ signal })) expect(set.length).toBe(1);
});

test("static endpoints are not yielded to a watch that was aborted before it began", async () => {
  for await (const set of staticEndpoints(parseEndpoints("a").endpoints).watch({
    signal: AbortSignal.abort(),
  }))
    expect.fail(`yielded ${set.length}`);
});

test("an empty list is rejected", () => {
  expect(() => staticEndpoints([])).toThrow("[invalid-endpoint] the list of endpoints is empty");
});
