import { expect, test } from "vitest";
import type { EndpointCheck } from "./check-endpoint.js";
import { findings } from "./check-report.js";

function checked(endpoint: string, rest: Partial<EndpointCheck> = {}): EndpointCheck {
  return {
    endpoint,
    tier: 0,
    weight: 0,
    usable: true,
    addresses: [{ address: "10.0.0.1", connectMs: 1 }],
    ...rest,
  };
}

function member(
  clusterId: string,
  memberId: string,
  rest: Partial<NonNullable<EndpointCheck["member"]>> = {},
) {
  return { member: { clusterId, memberId, alarms: [], ...rest } };
}

function lines(checks: readonly EndpointCheck[], problems: readonly string[] = []): readonly string[] {
  return findings(checks, problems).map(({ severity, message }) => `${severity}: ${message}`);
}

test("three members of one cluster are worth no word", () => {
  expect(lines(["a", "b", "c"].map(name => checked(name, member("c1", name))))).toEqual([]);
});

test("members of different clusters are an error, also if one has no cluster", () => {
  const checks = [checked("a", member("c1", "1")), checked("b", member("c2", "2")), checked("c")];
  expect(lines(checks)).toEqual([expect.stringMatching(/^error: .*2 different clusters.*\(c1: a; c2: b\)$/)]);
});

test("one member twice, an alarm of all members, and different versions are reported once", () => {
  const alarms = ["NOSPACE"];
  const checks = [
    checked("a", member("c1", "1", { alarms, version: "3.5.9" })),
    checked("b", member("c1", "1", { alarms, version: "3.4.30" })),
  ];
  expect(lines(checks)).toEqual([
    "warning: a and b are one member, 1",
    "warning: the alarm NOSPACE is on",
    "info: members have different versions (3.5.9: a; 3.4.30: b)",
  ]);
});

test("TLS here and plain text there is a warning", () => {
  const checks = [checked("a", { secure: true }), checked("b", { secure: false }), checked("c")];
  expect(lines(checks)).toEqual([
    "warning: some endpoints speak TLS and others do not (b): no client can use both",
  ]);
});

test.each([
  [-1, "has expired"],
  [3, "expires in 3 days"],
  [30, "expires in 30 days"],
  [31, undefined],
])("a certificate with %d days to go", (days, says) => {
  const expires = new Date(Date.now() + (days + 0.5) * 86_400_000).toISOString();
  const reported = lines([checked("a", { certificate: { expires } })]);
  expect(reported).toEqual(says === undefined ? [] : [`warning: a: its certificate ${says} (${expires})`]);
});

test("an address that is dead beside one that lives is a warning, and all dead are an error", () => {
  const dead = { address: "10.0.0.2", error: "dial 10.0.0.2:1: timed out" };
  const [one, two] = [
    checked("a", { addresses: [dead, { address: "10.0.0.1", connectMs: 1 }] }),
    checked("b", { usable: false, addresses: [dead, { ...dead, address: "10.0.0.3" }] }),
  ];
  expect(lines([one, two])).toEqual([
    "error: b cannot serve: dial 10.0.0.2:1: timed out; dial 10.0.0.2:1: timed out",
    "warning: a: one of its addresses does not accept connections (10.0.0.2: dial 10.0.0.2:1: timed out)",
  ]);
});

test("a failure of a source is an error", () => {
  expect(lines([checked("a")], ["srv example.com: SERVFAIL"])).toEqual(["error: srv example.com: SERVFAIL"]);
});
