import { type Endpoint, formatAddress, type Probe } from "@gw/interface";
import { etcdctl, manualClock, missing, startBlackHole, startEtcd } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { startMember } from "../../test/member.js";
import {
  at,
  atAddress,
  formatVerdict,
  http,
  probeOnce,
  skippableClock,
  startFakeHttp,
} from "../../test/probing.js";
import { etcdProbe } from "./etcd.js";

/** Looks until the verdict is this: elections and promotions take their time. */
async function untilTold(probe: Probe, endpoint: Endpoint, verdict: string): Promise<void> {
  await expect
    .poll(async () => formatVerdict(await probeOnce(probe, endpoint)), { timeout: 30_000 })
    .toBe(verdict);
}

const noLeader = "etcd /health cluster [unhealthy] it knows no leader";
const learner = "etcd /health endpoint [unhealthy] it is a learner, which refuses clients";

describe.skipIf(missing("etcd", "etcdctl"))("by the etcd probe", () => {
  test("members are healthy, by the deepest question that they know", async () => {
    await using etcd = await startEtcd(3);
    const probe = etcdProbe();
    for (const { endpoint } of etcd.members)
      expect(formatVerdict(await probeOnce(probe, atAddress(endpoint)))).toBe("etcd /health");
    probe.close();
  });

  test("a learner is unhealthy until it is promoted", async () => {
    await using etcd = await startEtcd(1);
    const member = await etcd.add({ learner: true });
    const probe = etcdProbe();
    for (let count = 0; count < 3; count++)
      expect(formatVerdict(await probeOnce(probe, atAddress(member.endpoint)))).toBe(learner);
    await etcd.promote(member);
    await untilTold(probe, atAddress(member.endpoint), "etcd /health");
    probe.close();
  });

  test("members without a quorum all have it, at once and not by a timeout, until there is one again", async () => {
    await using etcd = await startEtcd(3);
    const [one, two, three] = etcd.members.map(({ endpoint }) => atAddress(endpoint)) as [
      Endpoint,
      Endpoint,
      Endpoint,
    ];
    const probe = etcdProbe();
    expect(formatVerdict(await probeOnce(probe, one))).toBe("etcd /health");
    await etcd.member(formatAddress(two)).crash();
    await etcd.member(formatAddress(three)).crash();
    expect(formatVerdict(await probeOnce(probe, two))).toBe(
      "tcp endpoint [refused] connection refused (ECONNREFUSED)",
    );
    await untilTold(probe, one, noLeader);
    // The first check of a probe that knows nothing yet finds it as well.
    const other = etcdProbe();
    expect(formatVerdict(await probeOnce(other, one))).toBe(noLeader);
    other.close();
    await etcd.member(formatAddress(two)).restart();
    await untilTold(probe, one, "etcd /health");
    await untilTold(probe, two, "etcd /health");
    probe.close();
  });

  test("one that hangs does not answer; when it goes on it is healthy", async () => {
    await using member = await startMember();
    const probe = etcdProbe({ timeoutMs: 1_500 });
    expect(formatVerdict(await probeOnce(probe, at(member.port)))).toBe("etcd /health");
    await member.program.pause();
    for (let count = 0; count < 2; count++)
      expect(formatVerdict(await probeOnce(probe, at(member.port)))).toBe(
        "etcd /health endpoint [timed-out] no answer within 1500 ms",
      );
    member.program.resume();
    await untilTold(probe, at(member.port), "etcd /health");
    probe.close();
  });

  test("one without space is healthy, and that is noted until it is mended", async () => {
    await using member = await startMember({ "quota-backend-bytes": "100000" });
    const clock = skippableClock();
    const probe = etcdProbe({ clock });
    const address = `127.0.0.1:${member.port}`;
    for (let code: number | null = 0, count = 0; code === 0; count++)
      ({ code } = await etcdctl(address, "put", `key${count}`, "x".repeat(50_000)));
    expect(formatVerdict(await probeOnce(probe, at(member.port)))).toMatch(
      /^etcd \/health: the alarm NOSPACE is on: /,
    );
    await etcdctl(address, "alarm", "disarm");
    clock.skip(60_000);
    expect(formatVerdict(await probeOnce(probe, at(member.port)))).toBe("etcd /health");
    probe.close();
  });

  test("one that has been restarted is healthy on a new connection", async () => {
    await using etcd = await startEtcd(1);
    const probe = etcdProbe();
    const endpoint = atAddress(etcd.endpoints);
    await probeOnce(probe, endpoint);
    await etcd.members[0]?.crash();
    expect(formatVerdict(await probeOnce(probe, endpoint))).toMatch(/\[refused\]/);
    await etcd.members[0]?.restart();
    await untilTold(probe, endpoint, "etcd /health");
    probe.close();
  });

  test("one is asked where it serves its metrics", async () => {
    await using member = await startMember();
    const { metricsPort } = member;
    const base = `http://{host}:${metricsPort}`;
    for (const options of [{ port: metricsPort }, { url: base }, { url: `${base}/health` }]) {
      const probe = etcdProbe(options);
      for (let count = 0; count < 2; count++)
        expect(formatVerdict(await probeOnce(probe, at(member.port, true)))).toBe("etcd /health");
      probe.close();
    }
  });
});

/** Answers of an etcd that is newer than the one that is installed; `reads` is whether the quorum does. */
function newer(state: { reads: boolean; leader: string; hangs?: boolean; checks?: string }) {
  return (path: string): string | undefined => {
    if (path === "/v3/maintenance/status")
      return state.hangs
        ? undefined
        : http(200, JSON.stringify({ header: { member_id: "1" }, version: "3.6.0", leader: state.leader }));
    if (!path.startsWith("/readyz")) return http(404, "404 page not found\n");
    if (state.hangs || !state.reads) return undefined;
    if (state.checks) return http(503, `${state.checks}\n`);
    return http(200, "[+]linearizable_read ok\n[+]data_corruption ok\n[+]serializable_read ok\nok\n");
  };
}

describe("by the etcd probe, of an etcd that knows /readyz", () => {
  test("it is asked that alone, on one connection, and its status now and then", async () => {
    await using server = await startFakeHttp(newer({ reads: true, leader: "1" }));
    const clock = skippableClock();
    const probe = etcdProbe({ clock });
    for (let count = 0; count < 25; count++) {
      expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe("etcd /readyz");
      clock.skip(5_000);
    }
    expect(server.asked.filter(path => path === "/readyz?verbose")).toHaveLength(25);
    expect(server.asked.length).toBe(25 + 3);
    expect(server.accepted).toBe(1);
    probe.close();
  });

  test("a read that hangs without a quorum is distinguished from a process that hangs", async () => {
    const state = { reads: true, leader: "1", hangs: false };
    const clock = manualClock();
    await using server = await startFakeHttp(newer(state));
    const probe = etcdProbe({ clock, timeoutMs: 2_000 });
    const later = async (): Promise<string> => {
      const before = server.asked.length;
      const probing = probeOnce(probe, at(server.port));
      await expect.poll(() => server.asked.length).toBe(before + 1);
      await clock.advance(1_500);
      await expect.poll(() => server.asked.length).toBe(before + 2);
      await clock.advance(500);
      return formatVerdict(await probing);
    };
    expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe("etcd /readyz");
    Object.assign(state, { reads: false, leader: "0" });
    expect(await later()).toBe(
      "etcd /readyz cluster [unhealthy] it knows no leader (no answer within 1500 ms)",
    );
    // From then on the status, which does not hang, is asked first, and etcd spared.
    const before = server.asked.length;
    expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe(
      "etcd /readyz cluster [unhealthy] it knows no leader",
    );
    expect(server.asked.slice(before)).toEqual(["/v3/maintenance/status"]);
    Object.assign(state, { reads: true, leader: "1" });
    expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe("etcd /readyz");
    Object.assign(state, { reads: false });
    expect(await later()).toBe(
      "etcd /readyz cluster [unhealthy] its cluster does not agree on a read (no answer within 1500 ms)",
    );
    Object.assign(state, { reads: true });
    expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe("etcd /readyz");
    Object.assign(state, { hangs: true });
    expect(await later()).toBe("etcd /readyz endpoint [timed-out] no answer within 2000 ms");
    expect(clock.pending).toBe(0);
    probe.close();
  });

  test.each([
    ["[-]non_learner failed: not supported for learner", "endpoint [unhealthy] it is a learner"],
    ["[-]data_corruption failed: alarm activated: CORRUPT", "cluster [unhealthy] the alarm CORRUPT is on"],
    ["[-]linearizable_read failed: etcdserver: no leader", "cluster [unhealthy] its cluster does not agree"],
    ["[-]serializable_read failed: closed", "endpoint [unhealthy] it reports that it is unhealthy"],
  ])("%s", async (checks, verdict) => {
    await using server = await startFakeHttp(newer({ reads: true, leader: "1", checks }));
    const probe = etcdProbe();
    expect(formatVerdict(await probeOnce(probe, at(server.port)))).toContain(`etcd /readyz ${verdict}`);
    probe.close();
  });

  test("a new version on a new connection is asked what it knows", async () => {
    let old = true;
    const recent = newer({ reads: true, leader: "1" });
    await using server = await startFakeHttp(path =>
      old ? http(path.startsWith("/health") ? 200 : 404, '{"health":"true"}') : recent(path),
    );
    const probe = etcdProbe();
    for (let count = 0; count < 3; count++)
      expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe("etcd /health");
    for (const upgraded of [true, false, true]) {
      await server.stop();
      old = !upgraded;
      await server.listenAgain();
      const level = upgraded ? "etcd /readyz" : "etcd /health";
      await untilTold(probe, at(server.port), level);
      expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe(level);
    }
    probe.close();
  });

  test("one that guards its status is judged without it", async () => {
    const guarded = newer({ reads: true, leader: "1" });
    await using server = await startFakeHttp(path =>
      path.startsWith("/v3") ? http(401, '{"error":"auth: user name is empty","code":16}') : guarded(path),
    );
    const probe = etcdProbe();
    for (let count = 0; count < 3; count++)
      expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe("etcd /readyz");
    probe.close();
  });

  test("a path of the user's own is the only one that is asked", async () => {
    await using server = await startFakeHttp(path =>
      path === "/readyz?exclude=non_learner&verbose"
        ? http(200, "[+]linearizable_read ok\nok\n")
        : http(404, ""),
    );
    const probe = etcdProbe({ path: "/readyz?exclude=non_learner" });
    for (let count = 0; count < 3; count++)
      expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe("etcd /readyz?exclude=non_learner");
    expect(new Set(server.asked)).toEqual(
      new Set(["/readyz?exclude=non_learner&verbose", "/v3/maintenance/status"]),
    );
    probe.close();
  });

  test("one that accepts no connection is not waited for longer than the timeout", async () => {
    await using hole = await startBlackHole();
    const clock = manualClock();
    const probe = etcdProbe({ clock, timeoutMs: 1_000 });
    const probing = probeOnce(probe, at(hole.port));
    await clock.advance(1_000);
    expect(formatVerdict(await probing)).toBe("etcd endpoint [timed-out] no answer within 1000 ms");
    probe.close();
  });
});
