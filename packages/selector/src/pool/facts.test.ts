import type { Candidate, EndpointFacts, Selector } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { a, b, c, endpoint, type RigOptions, refused, rig } from "../../test/support.js";

const minute = 60_000;

/** A pool, and its candidates by host. */
function watched(endpoints = [a, b, c], options: RigOptions = {}) {
  let seen: readonly Candidate[] = [];
  const selector: Selector = {
    pick(candidates) {
      seen = candidates;
      return candidates[0];
    },
  };
  const one = rig(endpoints, { ...options, selector });
  const of = (host: string): Candidate => {
    one.hosts(1);
    const found = seen.find(candidate => candidate.endpoint.host === host);
    if (!found) throw new Error(`${host} is no candidate`);
    return found;
  };
  /** `facts` as a check of `host` has found them. */
  const report = (host: string, facts: EndpointFacts): void =>
    one.pool.report(endpoint(host), { check: "etcd status", scope: "endpoint", facts }, false);
  /** The answer of `host`, which is the member of its name, to a request for its status. */
  const status = (host: string, raftTerm: number, leaderId?: string): void =>
    report(host, { clusterId: "1", memberId: host, raftTerm, leaderId });
  /** Which hosts lead: `+` yes, `-` no, `?` unknown. */
  const leaders = (): string =>
    [..."abc"]
      .map(host => ({ true: "+", false: "-", undefined: "?" })[String(of(host).isLeader) as "true"])
      .join("");
  return { ...one, of, report, status, leaders };
}

describe("a candidate", () => {
  test("shows nothing of an endpoint that was not asked", () => {
    const { of } = watched();
    const { latencyMs, isLeader, version } = of("a");
    expect([latencyMs, isLeader, version]).toEqual([undefined, undefined, undefined]);
  });

  test("shows for how long the endpoint has been up, and nothing while it is down", async () => {
    const { of, take, clock } = watched([a]);
    await clock.advance(300);
    const candidate = of("a");
    expect(candidate.upMs).toBe(300);
    take().failed(refused);
    expect(candidate.upMs).toBeUndefined();
    await clock.advance(1_500);
    expect(candidate.upMs).toBe(500);
  });

  test("shows the version of the newest answer that has one", () => {
    const { of, report } = watched();
    report("a", { version: "3.4.23" });
    report("a", { roundTripMs: 1 });
    expect(of("a").version).toBe("3.4.23");
    report("a", { version: "3.5.16" });
    expect(of("a").version).toBe("3.5.16");
  });

  test("shows a latency that is smoothed, the less the longer ago the last one is", async () => {
    const { of, report, clock } = watched();
    const candidate = of("a");
    report("a", { roundTripMs: 100 });
    expect(candidate.latencyMs).toBe(100);
    await clock.advance(1_000);
    report("a", { roundTripMs: 200 });
    expect(candidate.latencyMs).toBe(125);
    await clock.advance(minute);
    report("a", { roundTripMs: 25 });
    expect(candidate.latencyMs).toBe(75);
    await clock.advance(10 * minute);
    report("a", { roundTripMs: 2 });
    expect(candidate.latencyMs).toBeCloseTo(2, 0);
  });

  test("does not show what was found out of another member at the same address", () => {
    const { of, report } = watched();
    report("a", { memberId: "1", version: "3.4.23", roundTripMs: 100 });
    report("a", { memberId: "2" });
    const { latencyMs, version } = of("a");
    expect([latencyMs, version]).toEqual([undefined, undefined]);
  });

  test("shows what the retry has found out that brought the endpoint back", async () => {
    const probe: RigOptions["probe"] = async () => ({
      check: "etcd status",
      scope: "endpoint",
      facts: { version: "3.5.16" },
    });
    const { of, take, clock, pool } = watched([a], { probe });
    take().failed(refused);
    await clock.advance(1_000);
    expect(of("a").version).toBe("3.5.16");
    expect(pool.inspect()[0]?.verdict?.check).toBe("etcd status");
  });
});

describe("the leader", () => {
  test("is known of each endpoint that has said which member it is, as soon as one names it", () => {
    const { status, report, leaders } = watched();
    expect(leaders()).toBe("???");
    status("a", 2);
    expect(leaders()).toBe("???");
    report("b", { clusterId: "1", memberId: "b", raftTerm: 2, leaderId: "a" });
    expect(leaders()).toBe("+-?");
  });

  test("is that of the newest term; a member that lags behind changes nothing", () => {
    const { status, leaders } = watched();
    for (const host of "abc") status(host, 2, "a");
    status("b", 3, "b");
    expect(leaders()).toBe("-+-");
    for (const host of "ac") status(host, 2, "a");
    status("c", 2);
    expect(leaders()).toBe("-+-");
  });

  test("is not lost because a member of the same term has none", () => {
    const { status, leaders } = watched();
    for (const host of "abc") status(host, 2, "a");
    status("c", 2);
    expect(leaders()).toBe("+--");
  });

  test("is unknown after a newer term without one, until that has one or is over", async () => {
    const { status, leaders, clock } = watched();
    for (const host of "abc") status(host, 2, "a");
    status("c", 3);
    expect(leaders()).toBe("???");
    status("b", 2, "a");
    expect(leaders()).toBe("???");
    status("b", 3, "c");
    expect(leaders()).toBe("--+");
    // A member that is cut off counts on by itself, and the others keep their leader.
    status("a", 9);
    expect(leaders()).toBe("???");
    await clock.advance(15_000);
    status("b", 3, "c");
    expect(leaders()).toBe("--+");
  });

  test("is trusted for five minutes after any endpoint has named it", async () => {
    const { status, leaders, clock } = watched();
    for (const host of "abc") status(host, 2, "a");
    for (let passed = 0; passed < 60; passed++) {
      await clock.advance(4 * minute);
      status("b", 2, "a");
    }
    expect(leaders()).toBe("+--");
    await clock.advance(5 * minute);
    expect(leaders()).toBe("???");
    // As of a cluster that was restored from a snapshot, and counts its terms from 1 again.
    status("b", 1, "b");
    expect(leaders()).toBe("-+-");
  });

  test("has several endpoints if these are the same member", () => {
    const { report, leaders } = watched();
    for (const host of "ab") report(host, { clusterId: "1", memberId: "m", raftTerm: 2, leaderId: "m" });
    report("c", { clusterId: "1", memberId: "n", raftTerm: 2, leaderId: "m" });
    expect(leaders()).toBe("++-");
  });

  test("of another cluster is another one", () => {
    const { report, leaders } = watched();
    report("a", { clusterId: "1", memberId: "m", raftTerm: 2, leaderId: "m" });
    report("b", { clusterId: "2", memberId: "m", raftTerm: 9, leaderId: "n" });
    expect(leaders()).toBe("+-?");
  });

  test("is known of some clusters at most, those that were reported last", () => {
    const { report, leaders } = watched();
    for (let cluster = 0; cluster < 1_000; cluster++)
      report("a", { clusterId: `${cluster}`, memberId: "m", raftTerm: 2, leaderId: "m" });
    expect(leaders()).toBe("+??");
    report("b", { clusterId: "999", memberId: "n" });
    report("c", { clusterId: "0", memberId: "n" });
    expect(leaders()).toBe("+-?");
  });

  test("of a term that is no number is not believed", () => {
    const { report, status, leaders } = watched();
    report("a", { clusterId: "1", memberId: "a", raftTerm: Number.NaN, leaderId: "a" });
    expect(leaders()).toBe("???");
    status("b", 2, "b");
    expect(leaders()).toBe("-+?");
  });
});
