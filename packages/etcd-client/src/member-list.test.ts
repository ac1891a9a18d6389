import { GatewayError } from "@gw/interface";
import fc from "fast-check";
import { expect, test } from "vitest";
import { readMembers, readRefusal, readToken } from "./member-list.js";

test.each<[what: string, body: unknown, fault: string]>([
  ["a list", [], ""],
  ["no members", {}, ": members is missing or invalid"],
  ["101 members", { members: Array.from({ length: 101 }, () => ({})) }, ": members is missing or invalid"],
  ["a member that is null", { members: [{}, null] }, ": members.1 is missing or invalid"],
  ["a name that is a number", { members: [{ name: 1 }] }, ": members.0.name is missing or invalid"],
  [
    "a URL that is too long",
    { members: [{ clientURLs: ["http://a", "x".repeat(2_049)] }] },
    ": members.0.clientURLs.1 is missing or invalid",
  ],
  ["a learner by word", { members: [{ isLearner: "no" }] }, ": members.0.isLearner is missing or invalid"],
])("%s is not a member list", (_, body, fault) => {
  const read = () => readMembers({ text: JSON.stringify(body) }, "ask a:1");
  const detail = `ask a:1: its answer is not a member list${fault}`;
  expect(read).toThrow(expect.objectContaining({ code: "unknown", detail }));
});

test("a member that has not started has neither name nor client URLs", () => {
  expect(readMembers({ text: '{"members":[{"ID":"1"}]}' }, "ask")).toEqual([
    { name: "", clientUrls: [], isLearner: false },
  ]);
});

test("any answer to a log-in is a token that fits a header, or is refused with an error that shows nothing of it", () => {
  const body = fc.oneof(
    fc.record({ token: fc.oneof(fc.string(), fc.jsonValue()) }).map(JSON.stringify),
    fc.json(),
  );
  fc.assert(
    fc.property(body, text => {
      try {
        expect(readToken({ text }, "log in")).toMatch(/^[!-~]+$/);
      } catch (error) {
        expect(error).toBeInstanceOf(GatewayError);
      }
    }),
  );
});

test("the reason of any refusal is a text", () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), text => {
      const refusal = readRefusal({ status: 500, text });
      expect(typeof refusal?.reason).toBe("string");
    }),
  );
});
