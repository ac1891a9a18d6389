// Regular checks of real etcds, of each version that tests run with.
import type { EndpointFacts, Probe } from "@gw/interface";
import {
  type EtcdCluster,
  enableAuth,
  etcdctl,
  etcdVersions,
  missing,
  missingEtcd,
  startCountingProxy,
  startEtcd,
} from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Member, startMember } from "../../test/member.js";
import { at, atAddress, formatVerdict, probeOnce, skippableClock } from "../../test/probing.js";
import { autoProbe } from "./auto.js";
import { etcdProbe } from "./etcd.js";

const regular = { depth: "regular" } as const;
const statusRequest = "POST /v3/maintenance/status";

/** What `etcdctl` prints of a member, in the form of facts. */
async function factsByEtcdctl(endpoint: string): Promise<EndpointFacts> {
  const { stdout } = await etcdctl(endpoint, "endpoint", "status", "--write-out=fields");
  const value = (name: string): string => new RegExp(`"${name}" : "?([\\w.]+)`).exec(stdout)?.[1] ?? "";
  const id = (name: string): string => BigInt(value(name)).toString(16);
  return {
    clusterId: id("ClusterID"),
    memberId: id("MemberID"),
    leaderId: id("Leader"),
    isLearner: value("IsLearner") === "true",
    raftTerm: Number(value("RaftTerm")),
    version: value("Version"),
  };
}

async function untilRegular(probe: Probe, endpoint: string, verdict: RegExp): Promise<void> {
  await expect
    .poll(async () => formatVerdict(await probeOnce(probe, atAddress(endpoint), regular)), {
      timeout: 30_000,
    })
    .toMatch(verdict);
}

describe.each(etcdVersions)("etcd %s, checked regularly", version => {
  const skip = missingEtcd(version) || missing("etcdctl");
  const deepCheck = version === "3.4" ? "etcd /health" : "etcd /readyz";

  describe.skipIf(skip)("in a cluster of three", () => {
    let cluster: EtcdCluster;
    beforeAll(async () => {
      cluster = await startEtcd(3, { version });
    });
    afterAll(() => cluster?.[Symbol.asyncDispose]());

    test("has facts as etcdctl prints them, by one request that needs no quorum", async () => {
      for (const make of [etcdProbe, autoProbe]) {
        const { endpoint } = cluster.members[1] ?? { endpoint: "" };
        await using proxy = await startCountingProxy(endpoint);
        const probe = make();
        for (let count = 0; count < 3; count++) {
          const verdict = await probeOnce(probe, atAddress(proxy.address), regular);
          expect(formatVerdict(verdict)).toBe("etcd status");
          const { roundTripMs, ...facts } = verdict.facts ?? {};
          expect(facts).toEqual(await factsByEtcdctl(endpoint));
          expect(roundTripMs).toBeGreaterThan(0);
        }
        expect(Object.fromEntries(proxy.requests)).toEqual({ [statusRequest]: 3 });
        // A deep one needs no status besides.
        expect(formatVerdict(await probeOnce(probe, atAddress(proxy.address)))).toBe(deepCheck);
        expect(proxy.requests.get(statusRequest)).toBe(3);
        probe.close();
      }
    });

    test("is a learner until it is promoted, and knows no leader when two of three have crashed", async () => {
      const probe = autoProbe();
      const learner = await cluster.add({ learner: true });
      await untilRegular(probe, learner.endpoint, /^etcd status endpoint \[unhealthy\] it is a learner/);
      const [first, ...others] = cluster.members.filter(member => member !== learner);
      const { endpoint = "" } = first ?? {};
      expect(formatVerdict(await probeOnce(probe, atAddress(endpoint), regular))).toBe("etcd status");
      await Promise.all(others.map(member => member.crash()));
      await untilRegular(probe, endpoint, /^etcd status cluster \[unhealthy\] it knows no leader$/);
      const { facts } = await probeOnce(probe, atAddress(endpoint), regular);
      expect(facts).toMatchObject({ clusterId: expect.any(String), memberId: expect.any(String) });
      expect(facts?.leaderId).toBeUndefined();
      await others[0]?.restart();
      await untilRegular(probe, endpoint, /^etcd status$/);
      probe.close();
    });
  });

  test.skipIf(skip)("is healthy without space, with a note, and with authentication on", async () => {
    await using cluster = await startEtcd(1, { version, flags: { "quota-backend-bytes": "100000" } });
    const probe = etcdProbe();
    const check = async (): Promise<string> =>
      formatVerdict(await probeOnce(probe, atAddress(cluster.endpoints), regular));
    for (let code: number | null = 0, count = 0; code === 0; count++)
      ({ code } = await etcdctl(cluster.endpoints, "put", `key${count}`, "x".repeat(50_000)));
    expect(await check()).toMatch(/^etcd status: the alarm NOSPACE is on: /);
    await etcdctl(cluster.endpoints, "alarm", "disarm");
    expect(await check()).toBe("etcd status");
    await enableAuth(cluster.endpoints);
    expect(await check()).toBe("etcd status");
    probe.close();
  });

  describe.skipIf(skip)("where it does not serve its status", () => {
    let member: Member;
    beforeAll(async () => {
      member = await startMember({ "enable-grpc-gateway": "false" }, version);
    });
    afterAll(() => member?.[Symbol.asyncDispose]());

    test.each([
      ["without the gateway of gRPC", (one: Member) => one.port],
      ["at the address of its metrics", (one: Member) => one.metricsPort],
    ])("%s, answers what it knows itself", async (_, portOf) => {
      const [local, localRequest] =
        version === "3.4"
          ? ["etcd /version", "GET /version"]
          : ["etcd /readyz without linearizable_read", "GET /readyz?verbose&exclude=linearizable_read"];
      const deepRequest = version === "3.4" ? "GET /health?exclude=NOSPACE" : "GET /readyz?verbose";
      await using proxy = await startCountingProxy(`127.0.0.1:${portOf(member)}`);
      const clock = skippableClock();
      const probe = etcdProbe({ clock, port: Number(proxy.address.split(":")[1]) });
      const deepRequests: number[] = [];
      for (let minute = 0; minute < 3; minute++) {
        for (let count = 0; count < 6; count++) {
          expect(formatVerdict(await probeOnce(probe, at(member.port), regular))).toBe(
            `${local}: its status is not served (HTTP 404): only deep checks show whether it has a leader`,
          );
          clock.skip(10_000);
        }
        deepRequests.push(proxy.requests.get(deepRequest) ?? 0);
      }
      expect(deepRequests).toEqual([1, 1, 1]);
      expect(proxy.requests.get(localRequest)).toBe(17);
      // At first, after a minute, and not after another one.
      expect(proxy.requests.get(statusRequest)).toBe(2);
      probe.close();
    });
  });
});

test.skipIf(missingEtcd("3.5"))("an etcd whose port serves gRPC alone is connected to", async () => {
  await using member = await startMember({ "listen-client-http-urls": "http://127.0.0.1:0" }, "3.5");
  const probe = autoProbe();
  for (const request of [regular, {}, regular])
    expect(formatVerdict(await probeOnce(probe, at(member.port), request))).toBe("tcp");
  probe.close();
});
