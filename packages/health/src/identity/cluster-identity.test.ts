import type { HealthObserver } from "@gw/interface";
import { type Endpoint, GatewayError, type GatewayErrorCode } from "@gw/interface";
import { type ManualClock, manualClock } from "@gw/testing";
import { beforeEach, expect, test } from "vitest";
import { identifyCluster } from "./cluster-identity.js";
import type { ClusterIdentity, ClusterIdentityOptions } from "./contract.js";

let clock: ManualClock;
/** What an endpoint answers by its host: an id, `-` that it cannot tell, `?` that it refuses, `…` nothing. */
let answers: Map<string, string>;
/** Hosts in the order in which they were asked, and how many questions are open. */
let asked: string[];
let open: number;
let mostOpen: number;
/** The newest set that was passed on, and what was rejected, as `b=Y`. */
let used: string[];
let rejected: string[];
let events: string[];

beforeEach(() => {
  clock = manualClock();
  answers = new Map();
  [asked, used, rejected, events] = [[], ["nothing yet"], [], []];
  [open, mostOpen] = [0, 0];
});

const observer: HealthObserver = {
  clusterIdentified: ({ clusterId, reason, isProvisional, members, foreign, from }) =>
    events.push(
      `${from === undefined ? "" : `${from} → `}${clusterId} ${reason}${isProvisional ? "?" : ""} ${hosts(members)} not ${hosts(foreign.map(({ endpoint }) => endpoint))}`,
    ),
  wrongCluster: ({ clusterId, foreign, isAnyUsed }) =>
    events.push(
      `wrong: ${clusterId} not ${foreign.map(({ endpoint, clusterId }) => `${endpoint.host}=${clusterId}`).join()}${isAnyUsed ? "" : " none used"}`,
    ),
  wrongClusterOver: ({ lastedMs }) => events.push(`over after ${Math.round(lastedMs / 1_000)} s`),
  clusterUnknown: ({ endpoints }) => events.push(`unknown: ${hosts(endpoints)}`),
};

function hosts(endpoints: readonly Endpoint[]): string {
  return endpoints.map(({ host }) => host).join("");
}

function endpoint(host: string): Endpoint {
  return { host, port: 1, priority: 0, weight: 0 };
}

function set(hosts: string): Endpoint[] {
  return [...hosts].map(endpoint);
}

const ask: ClusterIdentityOptions["ask"] = async ({ host }, signal) => {
  asked.push(host);
  open += 1;
  mostOpen = Math.max(mostOpen, open);
  const answer = answers.get(host) ?? "…";
  await new Promise<void>(resolve => {
    clock.after(answer === "…" ? 1_000 : 5, resolve);
    signal.addEventListener("abort", () => resolve());
  });
  open -= 1;
  if (signal.aborted) throw signal.reason;
  const [code] = { "…": ["timed-out"], "?": ["refused"], "!": ["out-of-resources"] }[answer] ?? [];
  if (code) throw new GatewayError(code as GatewayErrorCode, "no answer");
  return answer === "-" ? undefined : answer;
};

/** What endpoints answer from now on: `a=X b=?`. */
function answer(text: string): void {
  for (const one of text.split(" ").filter(Boolean)) {
    const [host = "", told = ""] = one.split("=");
    answers.set(host, told);
  }
}

/** Identifies from the start, with these answers. */
function identify(
  hosts: string,
  told: string,
  options: Partial<ClusterIdentityOptions> = {},
): ClusterIdentity {
  answer(told);
  const identity = identifyCluster({
    ask,
    observer,
    clock,
    random: () => 0.5,
    ...options,
  });
  identity.update(set(hosts));
  identity.start((endpoints, others) => {
    used.push(endpoints.map(({ host }) => host).join(""));
    rejected = others.map(({ endpoint, error }) => `${endpoint.host} ${error.code}`);
  });
  return identity;
}

test("nothing is passed on before there is a set, so that clients wait for it", async () => {
  const identity = identifyCluster({ ask, clock });
  const sets: string[] = [];
  identity.start(endpoints => sets.push(hosts(endpoints)));
  await clock.advance(5_000);
  identity.refresh();
  expect(sets).toEqual([]);
  answer("a=X b=X");
  identity.update(set("ab"));
  expect(sets).toEqual([]);
  await clock.advance(5);
  expect(sets).toEqual(["ab"]);
  identity.update([]);
  expect(sets).toEqual(["ab", ""]);
});

test("a single endpoint is passed on at once, and not asked", async () => {
  identify("a", "a=X");
  expect(used).toEqual(["nothing yet", "a"]);
  await clock.advance(60_000);
  expect(asked).toEqual([]);
});

test("a single endpoint is asked if an id is pinned, and rejected with another one", async () => {
  const identity = identify("a", "a=Y", { pinned: "X" });
  expect(used).toEqual(["nothing yet"]);
  await clock.advance(10);
  expect(used).toEqual(["nothing yet", ""]);
  expect(events).toEqual(["wrong: X not a=Y none used"]);
  await clock.advance(600_000);
  expect(events).toEqual(Array.from({ length: 2 }, () => "wrong: X not a=Y none used"));
  expect(identity.clusterId).toBe("X");
});

test("several are asked at once, and those that agree are passed on when the others have had 250 ms to answer", async () => {
  const identity = identify("abc", "a=X b=X");
  expect(asked.join("")).toBe("abc");
  expect(used).toEqual(["nothing yet"]);
  await clock.advance(249);
  expect(used).toEqual(["nothing yet"]);
  await clock.advance(1);
  expect(used).toEqual(["nothing yet", "ab"]);
  await clock.advance(750);
  expect(used).toEqual(["nothing yet", "ab", "abc"]);
  expect(events).toEqual(["X majority ab not "]);
  expect(identity.clusterId).toBe("X");
});

test("members of another cluster are not passed on, and asked again after 2, 4 … 60 s", async () => {
  identify("abc", "a=X b=Y c=X");
  await clock.advance(10);
  expect(used).toEqual(["nothing yet", "ac"]);
  expect(rejected).toEqual(["b wrong-cluster"]);
  expect(events).toEqual(["X majority ac not b", "wrong: X not b=Y"]);
  const counts: number[] = [];
  for (const ms of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]) {
    asked = [];
    await clock.advance(ms);
    counts.push(asked.filter(host => host === "b").length);
  }
  expect(counts).toEqual([0, 1, 1, 1, 1, 1, 1, 1, 1]);
  // Of the others one each time, to see that their cluster is still there.
  expect(asked.filter(host => host !== "b")).toHaveLength(1);
  answer("b=X");
  await clock.advance(61_000);
  expect(used.at(-1)).toBe("abc");
  expect(events.at(-1)).toMatch(/^over after \d+ s$/);
});

test("one that turns foreign later is removed and rejected at once", async () => {
  const identity = identify("abc", "a=X b=X c=X");
  await clock.advance(10);
  expect(used.at(-1)).toBe("abc");
  identity.learn(endpoint("b"), { clusterId: "Y" });
  expect(used.at(-1)).toBe("ac");
  expect(rejected).toEqual(["b wrong-cluster"]);
});

test("new endpoints are asked first; while none of a new set has answered, the old ones stay", async () => {
  const identity = identify("ab", "a=X b=X");
  await clock.advance(10);
  answer("c=Y d=X e=X");
  identity.update(set("abc"));
  expect(used.at(-1)).toBe("ab");
  await clock.advance(1_000);
  expect(used.at(-1)).toBe("ab");
  identity.update(set("ade"));
  expect(used.at(-1)).toBe("a");
  await clock.advance(10);
  expect(used.at(-1)).toBe("ade");
  answer("f=? g=X");
  identity.update(set("fgh"));
  await clock.advance(4);
  expect(used.at(-1)).toBe("ade");
  await clock.advance(1);
  expect(used.at(-1)).toBe("fg");
  await clock.advance(1_000);
  expect(used.at(-1)).toBe("fgh");
});

test("a foreign endpoint is removed although the others of a new set have not answered", async () => {
  const identity = identify("ab", "a=X b=X");
  await clock.advance(10);
  identity.update(set("cd"));
  expect(used.at(-1)).toBe("ab");
  identity.update(set("acd"));
  identity.learn(endpoint("a"), { clusterId: "Y" });
  expect(used.at(-1)).toBe("b");
});

test("without any answer all are passed on after a second", async () => {
  identify("abc", "");
  await clock.advance(999);
  expect(used).toEqual(["nothing yet"]);
  await clock.advance(1);
  expect(used).toEqual(["nothing yet", "abc"]);
  expect(events).toEqual([]);
});

test("an error of this machine is no answer", async () => {
  const identity = identify("ab", "a=X b=X");
  await clock.advance(10);
  answer("a=! b=!");
  identity.learn(endpoint("a"), { clusterId: "Y" });
  await clock.advance(120_000);
  // Nothing is known of b, so that the hold has not begun.
  expect(events.filter(event => event.includes("rebuilt"))).toEqual([]);
});

test("endpoints that cannot tell are used, which is reported once for each", async () => {
  const identity = identify("ab", "a=- b=-");
  await clock.advance(10);
  expect(used.at(-1)).toBe("ab");
  identity.refresh();
  await clock.advance(1_000);
  answer("c=-");
  identity.update(set("abc"));
  await clock.advance(1_000);
  expect(events).toEqual(["unknown: ab", "unknown: c"]);
});

test("a rebuilt cluster is noticed and accepted after the hold", async () => {
  const identity = identify("abc", "a=X b=X c=X", { holdMs: 5_000 });
  await clock.advance(10);
  expect(identity.clusterId).toBe("X");
  answer("a=Y b=? c=?");
  identity.learn(endpoint("a"), { clusterId: "Y" });
  await clock.advance(4_000);
  expect(used.at(-1)).toBe("bc");
  answer("b=Y");
  await clock.advance(2_000);
  expect(events.slice(-2)).toEqual(["X → Y rebuilt ab not c", "wrong: Y not c=X"]);
  expect(used.at(-1)).toBe("ab");
  answer("c=Y");
  await clock.advance(61_000);
  expect(used.at(-1)).toBe("abc");
  expect(identity.clusterId).toBe("Y");
});

test("two unrelated clusters: when the right one fails, the other is not used", async () => {
  identify("ab", "a=X b=Y");
  await clock.advance(10);
  expect(events).toEqual(["X first a not b", "wrong: X not b=Y"]);
  await clock.advance(10_000);
  answer("a=?");
  await clock.advance(3_600_000);
  expect(used.at(-1)).toBe("a");
});

test("an endpoint is asked before it is used again", async () => {
  const identity = identify("ab", "a=X b=X");
  await clock.advance(10);
  const { signal } = new AbortController();
  answer("b=Y");
  const admitted = identity.admit(endpoint("b"), signal).catch((error: unknown) => error);
  await clock.advance(10);
  expect(await admitted).toMatchObject({
    code: "wrong-cluster",
    detail: "b:1 is a member of cluster Y, not of X",
  });
  expect(used.at(-1)).toBe("a");
  answer("a=?");
  const unanswered = identity.admit(endpoint("a"), signal);
  await clock.advance(10);
  await expect(unanswered).resolves.toBeUndefined();
});

test("a suspected endpoint is asked at once, and at most once in two seconds", async () => {
  const identity = identify("ab", "a=X b=X");
  await clock.advance(3_000);
  asked = [];
  for (let quarter = 0; quarter < 15; quarter++) {
    identity.suspect(endpoint("a"));
    await clock.advance(250);
  }
  expect(asked).toEqual(["a", "a"]);
  // The last suspicion came after the last question.
  await clock.advance(60_000);
  expect(asked).toEqual(["a", "a", "a"]);
});

test("endpoints of a host that has moved are asked", async () => {
  const identity = identify("ab", "a=X b=X");
  await clock.advance(3_000);
  answer("b=Y");
  identity.moved("b");
  await clock.advance(10);
  expect(used.at(-1)).toBe("a");
});

test("answers that have arrived while this process was paused are not late", async () => {
  identify("ab", "a=X b=Y", { pinned: "X" });
  await clock.pause(1_500);
  expect(used).toEqual(["nothing yet", "a"]);
});

test("an endpoint that clients connect to is asked after 10, 40, 150, 150 … s", async () => {
  const identity = identify("ab", "a=X b=X");
  await clock.advance(10);
  const waits: number[] = [];
  for (let seconds = 0; waits.length < 4; seconds++) {
    asked = [];
    identity.connected(endpoint("a"), false);
    await clock.advance(1_000);
    if (asked.length === 0) continue;
    waits.push(seconds);
    seconds = 0;
  }
  expect(waits).toEqual([10, 41, 151, 151]);
});

test("health checks on an open connection do not keep an endpoint from being asked when a client connects", async () => {
  const identity = identify("ab", "a=X b=X");
  await clock.advance(10_010);
  answer("a=Y");
  identity.learn(endpoint("a"), { clusterId: "X" });
  expect(used.at(-1)).toBe("ab");
  identity.connected(endpoint("a"), false);
  await clock.advance(10);
  expect(used.at(-1)).toBe("b");
});

test("an endpoint that cannot tell is not asked for each client", async () => {
  const identity = identify("abc", "a=X b=X c=-");
  await clock.advance(10);
  asked = [];
  for (let second = 0; second < 150; second++) {
    identity.connected(endpoint("c"), false);
    await clock.advance(1_000);
  }
  expect(asked).toEqual(["c", "c"]);
});

test("an endpoint that a client finds up again is asked", async () => {
  const identity = identify("ab", "a=X b=X");
  await clock.advance(10);
  asked = [];
  identity.connected(endpoint("a"), true);
  expect(asked).toEqual(["a"]);
});

test("ten thousand endpoints: 32 questions at a time, and after a second the rest is used unasked", async () => {
  const many = Array.from({ length: 10_000 }, (_, at) => endpoint(`m${at}`));
  for (const { host } of many.slice(0, 3_000)) answers.set(host, "X");
  answers.set("m7", "Y");
  const counts: number[] = [];
  const identity = identifyCluster({ ask, observer, clock, random: () => 0.5 });
  identity.update(many);
  identity.start(endpoints => counts.push(endpoints.length));
  await clock.advance(999);
  expect(mostOpen).toBe(32);
  expect(counts).toEqual([]);
  await clock.advance(101);
  expect(counts.at(-1)).toBe(9_999);
  identity.close();
  expect(open).toBe(32);
  await clock.advance(10);
  expect(open).toBe(0);
});

test("closed, it asks and passes on nothing", async () => {
  const identity = identify("ab", "a=X b=Y");
  await clock.advance(10);
  identity.close();
  const before = used.length;
  asked = [];
  identity.learn(endpoint("a"), { clusterId: "Y" });
  await clock.advance(600_000);
  expect([asked, used.length]).toEqual([[], before]);
});
