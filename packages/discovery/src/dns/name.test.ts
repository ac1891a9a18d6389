import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { absoluteName, candidateNames, nameFromWire } from "./name.js";

describe("an absolute name", () => {
  test.each([
    ["example.com", "example.com."],
    ["_Etcd-Client._TCP.Example.COM.", "_etcd-client._tcp.example.com."],
    [`${"a".repeat(63)}.b`, `${"a".repeat(63)}.b.`],
    [`${"a.".repeat(126)}a`, `${"a.".repeat(126)}a.`],
  ])("is made from %s", (text, name) => {
    expect(absoluteName(text)).toBe(name);
  });

  test.each([
    "",
    ".",
    "a..b",
    ".a",
    "a..",
    "a b",
    "a\nb",
    "bücher.de",
    "a\\.b",
    "a".repeat(64),
    `${"a.".repeat(127)}a`,
  ])("cannot be made from %j", text => {
    expect(() => absoluteName(text)).toThrow("is not a domain name");
  });

  test("from a message has its dot, and only ASCII letters change case", () => {
    expect([".", "A.b", "\u212a.Z"].map(nameFromWire)).toEqual([".", "a.b.", "\u212a.z."]);
  });
});

describe("the names that a name may stand for", () => {
  const search = ["ns.svc.local", "svc.local"];
  test.each([
    ["with a trailing dot: itself alone", "a.", 1, ["a."]],
    ["with fewer dots than ndots: itself last", "a", 1, ["a.ns.svc.local.", "a.svc.local.", "a."]],
    ["with enough dots: itself first", "a.b", 1, ["a.b.", "a.b.ns.svc.local.", "a.b.svc.local."]],
    ["as in Kubernetes, ndots 5", "a.b", 5, ["a.b.ns.svc.local.", "a.b.svc.local.", "a.b."]],
    ["ndots 0: itself first always", "a", 0, ["a.", "a.ns.svc.local.", "a.svc.local."]],
  ])("%s", (_, name, ndots, names) => {
    expect(candidateNames(name, { search, ndots })).toEqual(names);
  });

  test("contain each once, without those that are too long", () => {
    const long = Array(4).fill("x".repeat(62)).join(".");
    expect(candidateNames("a.b", { search: [long, ".", "c"], ndots: 1 })).toEqual(["a.b.", "a.b.c."]);
  });

  test("always contain the name itself", () => {
    const label = fc.stringMatching(/^[a-z_]{1,8}$/);
    const domain = fc.array(label, { minLength: 1, maxLength: 3 }).map(labels => labels.join("."));
    fc.assert(
      fc.property(domain, fc.array(domain), fc.nat(5), (name, search, ndots) => {
        expect(candidateNames(name, { search, ndots })).toContain(`${name}.`);
      }),
      { seed: 1 },
    );
  });
});
