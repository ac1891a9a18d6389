import type { Endpoint } from "@gw/interface";
import { formatAddress } from "@gw/interface";
import { type ManualClock, manualClock } from "@gw/testing";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { createIdentityDecision, type IdentityDecision, type IdentityDecisionOptions } from "./decision.js";

const names = ["a", "b", "c", "d", "e", "f"] as const;
type Name = (typeof names)[number];
/** An endpoint's report: an id, or `-` for one that cannot tell, or `?` for one that does not answer. */
type Told = string;

let clock: ManualClock;
beforeEach(() => {
  clock = manualClock();
});

function endpoint(name: string): Endpoint {
  return { host: name, port: 1, priority: 0, weight: 0 };
}

function nameOf({ host }: Endpoint): string {
  return host;
}

function decisionOn(set: string, options: Partial<IdentityDecisionOptions> = {}): IdentityDecision {
  const decision = createIdentityDecision({ clock, ...options });
  decision.update([...set].map(endpoint));
  return decision;
}

function report(decision: IdentityDecision, name: string, told: Told): void {
  if (told === "?") decision.silent(endpoint(name));
  else if (told === "-") decision.unable(endpoint(name));
  else decision.told(endpoint(name), told);
}

/** Reports such as `a=X b=Y c=?`, one after the other, each followed by a decision. */
function reports(decision: IdentityDecision, text: string): void {
  for (const one of text.split(" ").filter(Boolean)) {
    const [name = "", told = ""] = one.split("=");
    report(decision, name, told);
    decision.view();
  }
}

/** What is decided, in short: `X: usable ab, foreign c=Y, pending d`. */
function shown(decision: IdentityDecision): string {
  const { accepted, usable, foreign, pending } = decision.view();
  const id = accepted
    ? `${accepted.clusterId} ${accepted.reason}${accepted.isProvisional ? "?" : ""}`
    : "none";
  const list = [
    `${id}: ${usable.map(nameOf).join("")}`,
    ...(foreign.length > 0
      ? [`not ${foreign.map(one => `${nameOf(one.endpoint)}=${one.clusterId}`).join()}`]
      : []),
    ...(pending.length > 0 ? [`wait ${pending.map(nameOf).join("")}`] : []),
  ];
  return list.join(" ");
}

describe("at the start", () => {
  test.each<[string, string, Partial<IdentityDecisionOptions>, string]>([
    ["a single endpoint is used unasked", "", {}, "none: a"],
    ["a single endpoint is waited for if an id is pinned", "", { pinned: "X" }, "X pinned:  wait a"],
    [
      "a single endpoint is waited for if an id is remembered",
      "",
      { remembered: "X" },
      "X remembered:  wait a",
    ],
    ["a single endpoint is believed", "a=X", {}, "X majority: a"],
    [
      "a single endpoint that has another id than the pinned one",
      "a=Y",
      { pinned: "X" },
      "X pinned:  not a=Y",
    ],
    [
      "a single endpoint that has another id than before",
      "a=Y",
      { remembered: "X" },
      "X remembered:  not a=Y",
    ],
  ])("%s", (_, text, options, expected) => {
    const decision = decisionOn("a", options);
    reports(decision, text);
    expect(shown(decision)).toBe(expected);
  });

  test.each<[string, string]>([
    ["", "none:  wait abc"],
    ["a=X", "none:  wait abc"],
    ["a=X b=X", "X majority: ab wait c"],
    ["a=X b=Y", "none:  wait abc"],
    ["a=X b=X c=X", "X majority: abc"],
    ["a=Y b=X c=X", "X majority: bc not a=Y"],
    ["b=Y a=X c=Z", "Y first: b not a=X,c=Z"],
    ["a=X b=? c=?", "X majority?: abc"],
    ["b=? a=X c=Y", "X first: ab not c=Y"],
    ["a=- b=- c=-", "none: abc"],
    ["a=- b=- c=X", "X majority?: abc"],
    ["a=-", "none: a wait bc"],
    ["a=-  b=X c=Y", "X first: ab not c=Y"],
    ["a=? b=? c=?", "none: abc"],
  ])("of three, %j decides as %j", (text, expected) => {
    const decision = decisionOn("abc");
    reports(decision, text);
    expect(shown(decision)).toBe(expected);
  });

  test("endpoints that do not answer are waited for until they are given up", () => {
    const decision = decisionOn("abc");
    reports(decision, "b=Y a=X");
    expect(shown(decision)).toBe("none:  wait abc");
    decision.giveUp([endpoint("c")]);
    expect(shown(decision)).toBe("Y first: bc not a=X");
  });

  test("one that does not answer is no reason to go on with it alone", () => {
    const decision = decisionOn("abc");
    reports(decision, "a=?");
    expect(decision.view()).toMatchObject({ usable: [endpoint("a")], isReady: false });
    reports(decision, "b=-");
    expect(decision.view().isReady).toBe(true);
  });

  test("a pinned id comes before the remembered one, and both before a majority", () => {
    const both = decisionOn("abc", { pinned: "P", remembered: "R" });
    reports(both, "a=R b=R c=P");
    expect(shown(both)).toBe("P pinned: c not a=R,b=R");
    const remembered = decisionOn("abc", { remembered: "R" });
    reports(remembered, "a=X b=X c=R");
    expect(shown(remembered)).toBe("R remembered: c not a=X,b=X");
  });
});

describe("a decision", () => {
  test("of fewer than a majority of the set is changed by a later majority, and then stays", () => {
    const decision = decisionOn("abc");
    reports(decision, "a=X b=? c=?");
    expect(shown(decision)).toBe("X majority?: abc");
    reports(decision, "b=Y");
    expect(shown(decision)).toBe("X majority?: ac not b=Y");
    reports(decision, "c=Y");
    expect(shown(decision)).toBe("Y majority: bc not a=X");
    reports(decision, "b=X");
    expect(shown(decision)).toBe("Y majority: c not a=X,b=X");
  });

  test("of one who is confirmed by the others is no longer provisional", () => {
    const decision = decisionOn("abcd");
    reports(decision, "a=X b=? c=? d=? b=X c=Y d=Y");
    expect(shown(decision)).toBe("X majority: ab not c=Y,d=Y");
  });

  test("stays when the set grows, shrinks, or is replaced", () => {
    const decision = decisionOn("a");
    reports(decision, "a=X");
    decision.update([..."abc"].map(endpoint));
    reports(decision, "b=Y c=Y");
    expect(shown(decision)).toBe("X majority: a not b=Y,c=Y");
    decision.update([..."de"].map(endpoint));
    expect(shown(decision)).toBe("X majority:  wait de");
    reports(decision, "d=X e=Y");
    expect(shown(decision)).toBe("X majority: d not e=Y");
  });

  test("is not touched by endpoints that stop telling, and those tell later count again", () => {
    const decision = decisionOn("ab");
    reports(decision, "a=X b=- b=Y b=- b=?");
    expect(shown(decision)).toBe("X majority: a not b=Y");
    reports(decision, "a=- a=?");
    expect(shown(decision)).toBe("X majority: a not b=Y");
    reports(decision, "b=X");
    expect(shown(decision)).toBe("X majority: ab");
  });

  test("is made without those that told and went silent meanwhile", async () => {
    const decision = decisionOn("abc");
    reports(decision, "a=X a=? b=?");
    expect(shown(decision)).toBe("none: b wait ac");
    reports(decision, "c=?");
    expect(shown(decision)).toBe("none: abc");
    reports(decision, "b=Y");
    expect(shown(decision)).toBe("Y majority?: bc not a=X");
  });
});

describe("a cluster that was rebuilt", () => {
  const hold = 30_000;

  async function after(ms: number, decision: IdentityDecision, text: string): Promise<string> {
    await clock.advance(ms);
    reports(decision, text);
    return shown(decision);
  }

  test("is accepted when all that answer have told its id for longer than the hold", async () => {
    const decision = decisionOn("abc");
    reports(decision, "a=X b=X c=X");
    expect(await after(5_000, decision, "a=Y b=? c=?")).toBe("X majority: bc not a=Y");
    expect(decision.view().holdEndsAt).toBe(5_000 + hold);
    expect(await after(hold, decision, "a=Y")).toBe("X majority: bc not a=Y");
    expect(await after(1, decision, "")).toBe("X majority: bc not a=Y");
    expect(await after(1, decision, "b=Y a=Y")).toBe("Y rebuilt: ab not c=X");
    reports(decision, "c=Y");
    expect(shown(decision)).toBe("Y rebuilt: abc");
  });

  test("is accepted provisionally if few have answered", async () => {
    const decision = decisionOn("abc");
    reports(decision, "a=X b=X c=X b=? c=? a=Y");
    expect(await after(hold + 1, decision, "a=Y")).toBe("Y rebuilt?: a not b=X,c=X");
    reports(decision, "b=X");
    expect(shown(decision)).toBe("Y rebuilt?: a not b=X,c=X");
    reports(decision, "c=X");
    expect(shown(decision)).toBe("X majority: bc not a=Y");
  });

  test.each([
    ["one still tells the old id", "b=X"],
    ["another tells a third id", "b=Z"],
    ["it tells the old id in between", "a=X a=Y"],
  ])("is not accepted if %s", async (_, text) => {
    const decision = decisionOn("abc");
    reports(decision, "a=X b=X c=X b=? c=? a=Y");
    await after(hold / 2, decision, text);
    expect(await after(hold / 2 + 1, decision, "a=Y")).toMatch(/^X majority/);
  });

  test("is never accepted in place of a pinned one", async () => {
    const decision = decisionOn("ab", { pinned: "X" });
    reports(decision, "a=Y b=Y");
    expect(await after(10 * hold, decision, "a=Y b=Y")).toBe("X pinned:  not a=Y,b=Y");
  });

  test("is accepted in place of a remembered one", async () => {
    const decision = decisionOn("ab", { remembered: "X" });
    reports(decision, "a=Y b=Y");
    expect(await after(hold + 1, decision, "a=Y b=Y")).toBe("Y rebuilt: ab");
  });

  test("at new addresses is accepted as well; endpoints that are gone do not count", async () => {
    const decision = decisionOn("ab");
    reports(decision, "a=X b=X");
    decision.update([..."cd"].map(endpoint));
    reports(decision, "c=Y d=Y");
    expect(await after(hold + 1, decision, "d=Y")).toBe("Y rebuilt: cd");
  });

  test("is not another one that is there all the time, while the right one fails", async () => {
    const decision = decisionOn("ab");
    reports(decision, "a=X b=Y");
    await after(1_000, decision, "a=X");
    await after(1_000, decision, "a=?");
    expect(await after(100 * hold, decision, "b=Y")).toBe("X first: a not b=Y");
    // Unless no endpoint of the right one is left.
    decision.update([endpoint("b")]);
    expect(await after(0, decision, "b=Y")).toBe("X first:  not b=Y");
    expect(await after(hold + 1, decision, "b=Y")).toBe("Y rebuilt: b");
  });

  test("member by member is accepted when the last one tells the new id", async () => {
    const decision = decisionOn("abc");
    reports(decision, "a=X b=X c=X");
    await after(2_000, decision, "a=Y");
    await after(2_000, decision, "b=X b=Y");
    await after(2_000, decision, "c=X c=?");
    expect(await after(hold + 1, decision, "a=Y")).toBe("X majority: c not a=Y,b=Y");
    await after(0, decision, "c=Y");
    expect(await after(hold + 1, decision, "a=Y")).toBe("Y rebuilt: abc");
  });

  test("that could only be seen before the process was paused is asked again", async () => {
    const decision = decisionOn("a");
    reports(decision, "a=X a=Y");
    await clock.pause(10 * hold);
    expect(shown(decision)).toBe("X majority:  not a=Y");
  });
});

describe("an endpoint that alternates, as a proxy in front of two clusters does", () => {
  test("is unused while it tells another id, and must tell the right one more often each time", () => {
    const decision = decisionOn("ab");
    reports(decision, "a=X b=X");
    const used: boolean[] = [];
    for (const told of "YXYXXYXXXXYXXX") {
      reports(decision, `b=${told}`);
      used.push(decision.view().usable.some(({ host }) => host === "b"));
    }
    expect(used.map(Number).join("")).toBe("01001000010000");
    expect(decision.view().foreign).toEqual([{ endpoint: endpoint("b"), clusterId: "Y", alternations: 4 }]);
  });

  test("is trusted again after ten minutes", async () => {
    const decision = decisionOn("ab");
    reports(decision, "a=X b=X b=Y b=X b=Y b=X b=X");
    await clock.advance(600_001);
    reports(decision, "b=Y b=X");
    expect(shown(decision)).toBe("X majority: ab");
  });
});

const name = fc.constantFrom<Name>(...names);
const told = fc.constantFrom<Told>("X", "Y", "Z", "-", "?");
const step = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(name, told).map(([name, told]) => ({ name, told })) },
  { weight: 1, arbitrary: name.map(givenUp => ({ givenUp })) },
  { weight: 2, arbitrary: fc.constantFrom(0, 1, 500, 1_000, 31_000, 700_000).map(ms => ({ ms })) },
  { weight: 1, arbitrary: fc.uniqueArray(name, { maxLength: 6 }).map(set => ({ set })) },
);
const known = fc.record(
  { pinned: fc.constant("X"), remembered: fc.constantFrom("X", "Y") },
  { requiredKeys: [] },
);

describe("whatever is reported", () => {
  test("no endpoint whose newest id is another one is usable, and each endpoint is in one list", async () => {
    await fc.assert(
      fc.asyncProperty(known, fc.array(step, { maxLength: 60 }), async (options, steps) => {
        clock = manualClock();
        const decision = decisionOn("abc", options);
        let set: readonly string[] = [..."abc"];
        const ids = new Map<string, string>();
        for (const one of steps) {
          if ("givenUp" in one) decision.giveUp([endpoint(one.givenUp)]);
          else if ("ms" in one) await clock.pause(one.ms);
          else if ("set" in one) {
            set = one.set;
            decision.update(set.map(endpoint));
            for (const name of ids.keys()) if (!set.includes(name)) ids.delete(name);
          } else {
            report(decision, one.name, one.told);
            if (set.includes(one.name) && !"-?".includes(one.told)) ids.set(one.name, one.told);
          }
          const { accepted, usable, foreign, pending, members } = decision.view();
          const listed = [...usable, ...foreign.map(({ endpoint }) => endpoint), ...pending];
          expect(listed.map(formatAddress).sort()).toEqual([...set].map(name => `${name}:1`).sort());
          for (const { host } of usable) expect([undefined, accepted?.clusterId]).toContain(ids.get(host));
          for (const one of members) expect(usable).toContain(one);
          if (options.pinned !== undefined) expect(accepted?.clusterId).toBe(options.pinned);
        }
      }),
      { seed: 11, numRuns: 300 },
    );
  });

  test("the order of first answers decides nothing, unless the first one has to", async () => {
    await fc.assert(
      fc.asyncProperty(
        known,
        fc.tuple(told, told, told, told, told),
        fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }),
        async (options, answers, order) => {
          clock = manualClock();
          const [one, other] = [decisionOn("abcde", options), decisionOn("abcde", options)];
          for (const [at, told] of answers.entries()) reports(one, `${names[at]}=${told}`);
          for (const at of order) reports(other, `${names[at]}=${answers[at]}`);
          if (one.view().accepted?.reason === "first") {
            const first = order.map(at => answers[at] ?? "").find(told => !"-?".includes(told));
            expect(other.view().accepted).toMatchObject({ reason: "first", clusterId: first });
          } else expect(shown(other)).toBe(shown(one));
        },
      ),
      { seed: 11, numRuns: 500 },
    );
  });
});
