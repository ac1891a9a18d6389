import { readFileSync } from "node:fs";
import { GatewayError } from "@gw/interface";
import fc from "fast-check";
import { expect, test } from "vitest";
import { membersIn, refusalIn, tokenIn } from "./answer.js";

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

function read(text: string): void {
  const whole = { status: 200, text, local: false, linkLocal: false };
  try {
    const { members, leftOut } = membersIn(whole, "ask a:1");
    expect(members.length).toBeLessThanOrEqual(100);
    const endpoints = members.flatMap(one => one.endpoints);
    expect(endpoints.length).toBeLessThanOrEqual(64);
    for (const { host, port } of endpoints) {
      expect(host).toMatch(/^[a-z0-9._:%-]+$/);
      expect(port).toBeGreaterThan(0);
    }
    if (leftOut.length === 0) return;
    expect(JSON.parse(text).members).toBeInstanceOf(Array);
  } catch (error) {
    expect(error).toBeInstanceOf(GatewayError);
    // It goes to logs.
    expect((error as GatewayError).detail.length).toBeLessThan(1_000);
    expect((error as GatewayError).detail).not.toMatch(/\p{Cc}/u);
  }
}

test.each(corpus)("the answer %j is read, or refused with an error of ours", text => read(text));

test("any answer is read, or refused with an error of ours", () => {
  fc.assert(
    fc.property(answer, text => read(text)),
    { seed: 2379, numRuns: 1_000 },
  );
});

test("any answer to a log-in is a token that fits a header, or is refused with an error that shows nothing of it", () => {
  const body = fc.oneof(
    fc.record({ token: fc.oneof(fc.string(), fc.jsonValue()) }).map(JSON.stringify),
    fc.json(),
  );
  fc.assert(
    fc.property(body, text => {
      try {
        expect(tokenIn({ status: 200, text, local: false, linkLocal: false }, "log in")).toMatch(/^[!-~]+$/);
      } catch (error) {
        expect(error).toBeInstanceOf(GatewayError);
      }
    }),
  );
});

test("any refusal is told as text", () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), text => {
      const refusal = refusalIn({ status: 500, text, local: false, linkLocal: false });
      expect(typeof refusal?.says).toBe("string");
    }),
  );
});
