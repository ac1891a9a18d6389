import {
  createAuthority,
  enableAuth,
  etcdVersions,
  missing,
  missingEtcd,
  startBackend,
  startEtcd,
} from "@gw/testing";
import { describe, expect, test } from "vitest";
import { at, atAddress, http, startFakeHttp } from "../test/probing.js";
import { etcdStatus } from "./member-status.js";

const never = new AbortController().signal;

describe.each(etcdVersions)("a member of etcd %s", version => {
  const missingPrograms = missingEtcd(version) || missing("etcdctl");
  test.skipIf(missingPrograms)("has its identity and its leader, also without a quorum", async () => {
    await using cluster = await startEtcd(3, { version });
    const status = etcdStatus({ timeoutMs: 10_000 });
    const statuses = await Promise.all(
      cluster.members.map(({ endpoint }) => status(atAddress(endpoint), never)),
    );
    expect(new Set(statuses.map(({ clusterId }) => clusterId)).size).toBe(1);
    expect(new Set(statuses.map(({ memberId }) => memberId)).size).toBe(3);
    expect(statuses.map(({ memberId }) => memberId)).toContain(statuses[0]?.leaderId);
    for (const one of statuses)
      expect(one).toMatchObject({
        secure: false,
        learner: false,
        alarms: [],
        dbSizeBytes: expect.any(Number),
      });
    const [first, ...others] = cluster.members;
    await Promise.all(others.map(member => member.crash()));
    expect(await status(atAddress(first?.endpoint ?? ""), never)).toMatchObject({
      memberId: statuses[0]?.memberId,
    });
    status.close();
  });

  test.skipIf(missingPrograms || missing("openssl"))(
    "is asked over TLS where it speaks that, whether or not it was said",
    async () => {
      await using ca = await createAuthority();
      await using other = await createAuthority("another CA");
      const { certFile, keyFile } = await ca.issue();
      await using cluster = await startEtcd(1, { version, tls: { certFile, keyFile } });
      for (const secure of [true, undefined]) {
        const status = etcdStatus({ ca: ca.cert });
        expect(await status(atAddress(cluster.endpoints, secure), never)).toMatchObject({ secure: true });
        status.close();
      }
      const status = etcdStatus({ ca: other.cert });
      await expect(status(atAddress(cluster.endpoints), never)).rejects.toMatchObject({ code: "untrusted" });
      status.close();
    },
  );

  test.skipIf(missingPrograms)("has at least its version with authentication on", async () => {
    await using cluster = await startEtcd(1, { version });
    await enableAuth(cluster.endpoints);
    const status = etcdStatus();
    expect(await status(atAddress(cluster.endpoints), never)).toMatchObject({
      version: expect.stringContaining(`${version}.`),
    });
    status.close();
  });
});

describe("any other server", () => {
  test("is no etcd", async () => {
    await using server = await startFakeHttp(() => http(404, "not found"));
    const status = etcdStatus();
    await expect(status(at(server.port), never)).rejects.toMatchObject({
      code: "unhealthy",
      detail: `probe 127.0.0.1:${server.port}: it does not answer as etcd does`,
    });
    status.close();
  });

  test("that is silent is waited for until the time is up", async () => {
    await using server = await startBackend();
    const status = etcdStatus({ timeoutMs: 100 });
    await expect(status(at(server.port), never)).rejects.toMatchObject({ code: "timed-out" });
    status.close();
  });
});
