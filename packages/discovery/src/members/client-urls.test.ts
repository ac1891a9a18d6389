import { readFileSync } from "node:fs";
import { createMemberLister } from "@gw/etcd-client";
import { GatewayError } from "@gw/interface";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isSameMachine, parseClientUrls } from "./client-urls.js";

/** Answers that were misread once, or nearly. */
const corpus: readonly string[] = JSON.parse(
  readFileSync(new URL("../../test/corpus/member-lists.json", import.meta.url), "utf8"),
);

const url = fc.oneof(
  fc.webUrl(),
  fc.constantFrom("http://a:2379", "https://[::1]:2379", "http://[fe80::1]", "unix:///a", "http://", ""),
  fc.string(),
);
const member = fc.record(
  {
    name: fc.oneof(fc.string({ unit: "binary" }), fc.jsonValue()),
    clientURLs: fc.oneof(fc.array(url, { maxLength: 200 }), fc.jsonValue()),
    isLearner: fc.oneof(fc.boolean(), fc.jsonValue()),
  },
  { requiredKeys: [] },
);
const list = fc.record({ members: fc.oneof(fc.array(member, { maxLength: 110 }), fc.jsonValue()) });
const answer = fc.oneof(
  { weight: 3, arbitrary: list.map(body => JSON.stringify(body)) },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.string({ unit: "binary" }) },
);

const endpoint = { host: "a", port: 1, priority: 0, weight: 0 };
const limits = { timeoutMs: 1_000, signal: new AbortController().signal };

async function read(text: string): Promise<void> {
  const http = {
    request: async () => ({
      status: 200,
      text,
      isFresh: true,
      roundTripMs: 1,
      remoteAddress: "",
      localAddress: "",
    }),
    isSecure: () => false,
    close() {},
  };
  try {
    const list = await createMemberLister().list(http, endpoint, undefined, limits);
    const { members, ignored = [] } = parseClientUrls(list.members, "ask a:1");
    expect(members.length).toBeLessThanOrEqual(100);
    const endpoints = members.flatMap(one => one.endpoints);
    expect(endpoints.length).toBeLessThanOrEqual(64);
    for (const { host, port } of endpoints) {
      expect(host).toMatch(/^[a-z0-9._:%-]+$/);
      expect(port).toBeGreaterThan(0);
    }
    if (ignored.length === 0) return;
    expect(JSON.parse(text).members).toBeInstanceOf(Array);
  } catch (error) {
    expect(error).toBeInstanceOf(GatewayError);
    // It goes to logs.
    expect((error as GatewayError).detail.length).toBeLessThan(1_000);
    expect((error as GatewayError).detail).not.toMatch(/\p{Cc}/u);
  }
}

test.each(corpus)("the answer %j is read, or refused with an error of ours", text => read(text));

test("any answer is read, or refused with an error of ours", async () => {
  await fc.assert(
    fc.asyncProperty(answer, text => read(text)),
    { seed: 2379, numRuns: 1_000 },
  );
});

test.each([
  ["10.0.0.1", "10.0.0.1", true],
  ["::ffff:127.0.0.1", "::ffff:127.0.0.1", true],
  ["10.0.0.1", "10.0.0.2", false],
  // A connection that is closed has no addresses any more.
  ["", "", false],
  ["10.0.0.1", "", false],
])("a connection from %j to %j stays on one machine: %j", (local, remote, isSame) => {
  expect(isSameMachine(local, remote)).toBe(isSame);
});
