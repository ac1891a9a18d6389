import { selectorCompliance } from "@gw/compliance";
import type { Selector } from "@gw/interface";
import { manualClock } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { type ChangingCandidate, changingCandidates, chiSquare, counted } from "../../test/picks.js";
import { seededRandom } from "../../test/support.js";
import { leader } from "./leader.js";

for (const { name, run } of selectorCompliance(() => leader())) test(name, run);

/** Five members a to e, and a selector that settles after 5 s. */
function rig(seed = 1) {
  const clock = manualClock();
  const members = changingCandidates(5);
  const selector = leader({ clock, settleMs: 5_000, random: seededRandom(seed) });
  const pick = (from: readonly ChangingCandidate[] = members): string | undefined =>
    selector.pick(from)?.endpoint.host;
  const target = (): string | undefined => selector.target?.(members)?.endpoint.host;
  /** Makes one the leader; without a host no leader is known. */
  const elect = (host: string | undefined): void => {
    for (const one of members) one.isLeader = host === undefined ? undefined : one.endpoint.host === host;
  };
  const without = (host: string): readonly ChangingCandidate[] =>
    members.filter(one => one.endpoint.host !== host);
  return { clock, members, selector, pick, target, elect, without };
}

describe("leader", () => {
  test("goes to the leader at once when it is the first that is known", () => {
    for (const host of "abcde") {
      const { pick, target, elect } = rig();
      elect(host);
      expect([pick(), target(), pick()]).toEqual([host, host, host]);
    }
  });

  test("leaves an endpoint that was picked before the leader was known", () => {
    const { pick, target, elect } = rig();
    const before = pick();
    const host = before === "a" ? "b" : "a";
    expect(target()).toBeUndefined();
    elect(host);
    expect([pick(), target()]).toEqual([host, host]);
  });

  test("is sticky and random while no leader is known", () => {
    const random = seededRandom(2379);
    const hosts = Array.from({ length: 5_000 }, () => {
      const selector: Selector = leader({ random });
      const members = changingCandidates(5);
      const [one, other] = [selector.pick(members), selector.pick(members)];
      expect(one).toBe(other);
      expect(selector.target?.(members)).toBeUndefined();
      return one?.endpoint.host;
    });
    expect(chiSquare([...counted(hosts).values()])).toBeLessThan(18.5);
  });

  test("follows an election when the new leader has been the same for the time to settle", async () => {
    const { clock, pick, target, elect } = rig();
    elect("a");
    pick();
    await clock.advance(10_000);
    elect("b");
    expect([pick(), target()]).toEqual(["a", undefined]);
    await clock.advance(4_999);
    expect([pick(), target()]).toEqual(["a", undefined]);
    await clock.advance(1);
    expect([pick(), target()]).toEqual(["b", "b"]);
  });

  test("follows an election although no client connects, if it is asked for its target", async () => {
    const { clock, pick, target, elect } = rig();
    elect("a");
    pick();
    await clock.advance(6_000);
    target();
    elect("b");
    target();
    await clock.advance(6_000);
    expect([target(), pick()]).toEqual(["b", "b"]);
  });

  test("follows at once if it has seen no leader for a long time", async () => {
    const { clock, pick, elect } = rig();
    elect("a");
    pick();
    await clock.advance(3_600_000);
    elect("b");
    expect(pick()).toBe("b");
  });

  test("stays where it is while the leader is unknown, and begins to settle again after that", async () => {
    const { clock, pick, target, elect } = rig();
    elect("a");
    pick();
    await clock.advance(1_000);
    elect("b");
    pick();
    elect(undefined);
    await clock.advance(10_000);
    expect([pick(), target()]).toEqual(["a", undefined]);
    elect("b");
    expect([pick(), target()]).toEqual(["a", undefined]);
    await clock.advance(5_000);
    expect(pick()).toBe("b");
  });

  test("goes to the new leader at once if the old one is no candidate", async () => {
    const { clock, pick, elect, without } = rig();
    elect("a");
    pick();
    await clock.advance(10_000);
    elect("b");
    expect(pick(without("a"))).toBe("b");
  });

  test("goes anywhere while the leader is no candidate, and returns", async () => {
    const { clock, pick, elect, without } = rig();
    elect("a");
    pick();
    await clock.advance(10_000);
    const other = pick(without("a"));
    expect(other).not.toBe("a");
    expect(pick(without("a"))).toBe(other);
    expect(pick()).toBe(other);
    await clock.advance(5_000);
    expect(pick()).toBe("a");
  });

  test("moves rarely, however fast the leader changes", async () => {
    const { clock, pick, target, elect } = rig();
    const random = seededRandom(7);
    const history: (string | undefined)[] = [];
    for (let second = 0; second < 3_600; second++) {
      if (second % 2 === 0) elect([..."abcde"][Math.floor(random() * 5)]);
      await clock.advance(1_000);
      target();
      history.push(pick());
    }
    const moves = history.filter((host, index) => index > 0 && host !== history[index - 1]).length;
    // The leader changes 1,440 times, and is the same for five seconds 90 times or so by chance.
    expect(moves).toBeLessThan(120);
    elect("a");
    await clock.advance(1_000);
    pick();
    await clock.advance(5_000);
    expect(pick()).toBe("a");
  });

  test("uses one of several endpoints of the leader, each as often, and keeps to it", async () => {
    const random = seededRandom(9);
    const hosts = Array.from({ length: 3_000 }, () => {
      const selector = leader({ random });
      const members = changingCandidates(5);
      for (const one of members) one.isLeader = one.endpoint.host < "c";
      const picked = selector.pick(members);
      expect(selector.pick(members)).toBe(picked);
      return picked?.endpoint.host;
    });
    const counts = counted(hosts);
    expect([...counts.keys()].sort()).toEqual(["a", "b"]);
    expect(chiSquare([...counts.values()])).toBeLessThan(10.9);
    const { clock, members, pick, elect } = rig();
    elect("e");
    pick();
    await clock.advance(10_000);
    for (const one of members) one.isLeader = one.endpoint.host < "c";
    expect(pick()).toBe("e");
    await clock.advance(5_000);
    expect(["a", "b"]).toContain(pick());
  });

  test.each([-1, Number.NaN, Infinity])("rejects a time to settle of %d ms", settleMs => {
    expect(() => leader({ settleMs })).toThrow(/settleMs .* is not 0 or more/);
  });
});
