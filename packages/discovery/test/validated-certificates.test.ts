import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certificateCheck } from "@gw/etcd-client";
import type { Endpoint } from "@gw/interface";
import {
  type Certificate,
  type CertificateAuthority,
  createAuthority,
  type EtcdCluster,
  missing,
  type Queue,
  queue,
  startEtcd,
} from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { staticEndpoints, validated } from "../src/index.js";

/** The endpoint of a cluster of one. */
function endpointOf({ endpoints }: EtcdCluster): Endpoint {
  const port = Number(endpoints.slice(endpoints.lastIndexOf(":") + 1));
  return { host: "127.0.0.1", port, priority: 0, weight: 0, secure: true };
}

/** The sets and events of a validated source, in their order. */
interface Watched extends AsyncDisposable {
  readonly events: Queue<string>;
  refresh(): void;
}

/** Watches these endpoints, trusting `ca`. Sets are listed by port. */
function watch(ca: CertificateAuthority, endpoints: readonly Endpoint[]): Watched {
  const events = queue<string>();
  const controller = new AbortController();
  let refresh = (): void => {};
  const discovery = validated(staticEndpoints(endpoints), certificateCheck({ ca: ca.cert }), {
    observer: {
      endpointRejected: ({ endpoint, error }) => events.put(`refused ${endpoint.port}: ${error.code}`),
      discoveryFailed: ({ error }) => events.put(`failed: ${error.code}`),
      discoveryRecovered: () => events.put("recovered"),
    },
  });
  const onRefresh = (listener: () => void) => {
    refresh = listener;
    return () => {};
  };
  const watching = (async () => {
    for await (const set of discovery.watch({ signal: controller.signal, onRefresh }))
      events.put(`set ${set.map(({ port }) => port).join()}`);
  })();
  return {
    events,
    refresh: () => refresh(),
    async [Symbol.asyncDispose]() {
      controller.abort();
      await watching;
    },
  };
}

describe.skipIf(missing("openssl", "etcd"))("real etcds, validated", () => {
  let ca: CertificateAuthority;
  let other: CertificateAuthority;
  let good: Certificate;
  let bad: Certificate;
  let folder: string;
  let tls: { readonly certFile: string; readonly keyFile: string };
  const turn = async (to: Certificate): Promise<void> => {
    await copyFile(to.certFile, tls.certFile);
    await copyFile(to.keyFile, tls.keyFile);
  };
  beforeAll(async () => {
    [ca, other] = await Promise.all([createAuthority(), createAuthority()]);
    [good, bad] = await Promise.all([ca.issue(), other.issue()]);
    folder = await mkdtemp(join(tmpdir(), "gw-turning-"));
    tls = { certFile: join(folder, "crt"), keyFile: join(folder, "key") };
  });
  afterAll(async () => {
    await Promise.all([ca, other].map(one => one[Symbol.asyncDispose]()));
    await rm(folder, { recursive: true, force: true });
  });

  test("an invalid one is rejected next to a valid one, and added when it is valid", async () => {
    await turn(bad);
    await using one = await startEtcd(1, { tls: good });
    await using two = await startEtcd(1, { tls });
    const [a, b] = [endpointOf(one), endpointOf(two)];
    await using watched = watch(ca, [a, b]);
    expect([await watched.events.take(), await watched.events.take()]).toEqual([
      `refused ${b.port}: untrusted`,
      `set ${a.port}`,
    ]);
    await turn(good);
    watched.refresh();
    expect(await watched.events.take()).toBe(`set ${a.port},${b.port}`);
  });

  test("a valid one that becomes invalid is removed, one that is down is kept", async () => {
    await turn(good);
    await using one = await startEtcd(1, { tls: good });
    await using two = await startEtcd(1, { tls });
    const [a, b] = [endpointOf(one), endpointOf(two)];
    await using watched = watch(ca, [a, b]);
    expect(await watched.events.take()).toBe(`set ${a.port},${b.port}`);
    await one.members[0]?.crash();
    await turn(bad);
    watched.refresh();
    const events = [await watched.events.take(), await watched.events.take()];
    expect(events).toEqual([`refused ${b.port}: untrusted`, `set ${a.port}`]);
  });

  test("one that was never reached is added once it is up", async () => {
    await using one = await startEtcd(1, { tls: good });
    await using two = await startEtcd(1, { tls: good });
    const [a, b] = [endpointOf(one), endpointOf(two)];
    await two.members[0]?.crash();
    await using watched = watch(ca, [a, b]);
    expect(await watched.events.take()).toBe(`refused ${b.port}: refused`);
    expect(await watched.events.take()).toBe(`set ${a.port}`);
    await two.members[0]?.restart();
    watched.refresh();
    expect(await watched.events.take()).toBe(`set ${a.port},${b.port}`);
  });

  test("while none is valid none is used, also after one was", async () => {
    await turn(bad);
    await using etcd = await startEtcd(1, { tls });
    const { port } = endpointOf(etcd);
    await using watched = watch(ca, [endpointOf(etcd)]);
    const refused = [`refused ${port}: untrusted`, "failed: untrusted"];
    expect([await watched.events.take(), await watched.events.take()]).toEqual(refused);
    await turn(good);
    watched.refresh();
    expect([await watched.events.take(), await watched.events.take()]).toEqual(["recovered", `set ${port}`]);
    await turn(bad);
    watched.refresh();
    expect([await watched.events.take(), await watched.events.take()]).toEqual(refused);
    expect(await watched.events.take()).toBe("set ");
  });
});
