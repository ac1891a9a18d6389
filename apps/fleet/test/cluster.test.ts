import { beforeEach, expect, test } from "vitest";
import { type SimulatedClock, simulatedClock } from "../src/clock.js";
import { Cluster } from "../src/model/cluster.js";
import type { Member } from "../src/model/member.js";
import { seededRandom } from "../src/random.js";

let clock: SimulatedClock;
let cluster: Cluster;

beforeEach(async () => {
  clock = simulatedClock();
  cluster = new Cluster(clock, seededRandom(1), 5);
  await clock.run(1_000);
});

const serving = (): number => cluster.voters.filter(member => cluster.serves(member)).length;

test("all members of a cluster that is well have the same leader and serve", () => {
  expect(cluster.leader).toBeDefined();
  expect(serving()).toBe(5);
});

test("a leader that crashes is replaced after one election timeout, and nobody serves until then", async () => {
  const leader = cluster.leader as Member;
  cluster.stop(leader, "crash");
  await clock.run(1_900);
  expect(serving()).toBe(0);
  await clock.run(2_500);
  expect(serving()).toBe(4);
  expect(cluster.leader).not.toBe(leader);
  cluster.start(leader);
  await clock.run(3_000);
  expect(leader.leader).toBe(cluster.leader);
  expect(serving()).toBe(5);
});

test("a leader that is shut down hands over at once", async () => {
  cluster.stop(cluster.leader as Member, "shutdown");
  await clock.run(1_200);
  expect(serving()).toBe(4);
});

test("a member that is cut off notices after one election timeout that it has no leader", async () => {
  const member = cluster.voters.find(one => one !== cluster.leader) as Member;
  cluster.cutOff(member, true);
  expect(cluster.serves(member)).toBe(false);
  await clock.run(1_900);
  expect(member.leader).toBeDefined();
  await clock.run(2_500);
  expect(member.leader).toBeUndefined();
  expect(serving()).toBe(4);
  cluster.cutOff(member, false);
  await clock.run(3_000);
  expect(serving()).toBe(5);
});

test("without a majority nobody has a leader", async () => {
  for (const member of cluster.voters.slice(0, 3)) cluster.hang(member);
  await clock.run(3_000);
  expect(serving()).toBe(0);
  expect(cluster.voters[4]?.leader).toBeUndefined();
  cluster.start(cluster.voters[0] as Member);
  await clock.run(5_000);
  expect(serving()).toBe(3);
});

test("connections end with the process, and outlast a pause of it", () => {
  const [member] = cluster.voters as [Member];
  const ended: string[] = [];
  member.connections.add({ ended: how => ended.push(how), serve() {} });
  cluster.hang(member);
  cluster.start(member);
  expect(ended).toEqual([]);
  cluster.stop(member, "crash");
  expect(ended).toEqual(["crash"]);
  expect(member.connections.size).toBe(0);
});
