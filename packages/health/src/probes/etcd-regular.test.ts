// Regular checks of servers that answer as etcd does, or hardly so. Real ones are in etcd-status.test.ts.
import type { Socket } from "node:net";
import type { ProbeRequest } from "@gw/interface";
import { manualClock, startBackend } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { at, formatVerdict, http, probeOnce, skippableClock, startFakeHttp } from "../../test/probing.js";
import { autoProbe } from "./auto.js";
import { etcdProbe } from "./etcd.js";
import { httpProbe } from "./http.js";
import { tcpProbe } from "./tcp.js";
import { tlsProbe } from "./tls.js";

const regular = { depth: "regular" } as const;
const [statusPath, readyzPath] = ["/v3/maintenance/status", "/readyz?verbose"];
const localPath = `${readyzPath}&exclude=linearizable_read`;
const localCheck = "etcd /readyz without linearizable_read";

function status(rest: object = {}): string {
  const header = { cluster_id: "4096", member_id: "255", raft_term: "7" };
  return http(200, JSON.stringify({ header, version: "3.6.1", leader: "16", ...rest }));
}

function ready(path: string, reads = true): string {
  if (path === localPath) return http(200, "[+]data_corruption ok\n[+]serializable_read ok\nok\n");
  const mark = reads ? "[+]linearizable_read ok" : "[-]linearizable_read failed: etcdserver: no leader";
  return http(reads ? 200 : 503, `${mark}\n[+]data_corruption ok\n[+]serializable_read ok\nok\n`);
}

describe("a regular check", () => {
  test("is one request for the status, with what the member says of itself", async () => {
    await using server = await startFakeHttp(path => (path === statusPath ? status() : http(404, "")));
    const probe = etcdProbe();
    for (let count = 0; count < 3; count++)
      expect((await probeOnce(probe, at(server.port), regular)).facts).toEqual({
        clusterId: "1000",
        memberId: "ff",
        leaderId: "10",
        isLearner: false,
        raftTerm: 7,
        version: "3.6.1",
        roundTripMs: expect.any(Number),
      });
    expect(server.asked).toEqual([statusPath, statusPath, statusPath]);
    expect(server.accepted).toBe(1);
    probe.close();
  });

  test.each([
    [{ leader: undefined, errors: ["etcdserver: no leader"] }, "cluster [unhealthy] it knows no leader"],
    [{ leader: "0" }, "cluster [unhealthy] it knows no leader"],
    [{ isLearner: true }, "endpoint [unhealthy] it is a learner, which refuses clients"],
    [{ errors: ["memberID:255 alarm:CORRUPT "] }, "endpoint [unhealthy] its data are corrupt"],
    [
      { errors: ["memberID:16 alarm:CORRUPT "] },
      "cluster [unhealthy] the alarm CORRUPT is on, so that its cluster refuses writes",
    ],
  ])("of a member with %j finds the fault", async (rest, verdict) => {
    await using server = await startFakeHttp(() => status(rest));
    for (const make of [etcdProbe, autoProbe]) {
      const probe = make();
      expect(formatVerdict(await probeOnce(probe, at(server.port), regular))).toBe(`etcd status ${verdict}`);
      probe.close();
    }
  });

  test("of a member that hangs takes no longer than the request says, at both depths", async () => {
    let hangs = false;
    await using server = await startFakeHttp(path => {
      if (hangs) return undefined;
      return path === statusPath ? status() : ready(path);
    });
    const clock = manualClock();
    const probe = autoProbe({ clock, timeoutMs: 5_000 });
    expect(formatVerdict(await probeOnce(probe, at(server.port), regular))).toBe("etcd status");
    expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe("etcd /readyz");
    hangs = true;
    for (const [depth, check, waits] of [
      ["regular", "etcd status", [1_000]],
      ["deep", "etcd /readyz", [750, 250]],
    ] as const) {
      const probing = probeOnce(probe, at(server.port), { depth, timeoutMs: 1_000 });
      for (const ms of waits) {
        const before = server.asked.length;
        await expect.poll(() => server.asked.length).toBeGreaterThanOrEqual(ms === 250 ? before : before + 1);
        await clock.advance(ms);
      }
      expect(formatVerdict(await probing)).toBe(`${check} endpoint [timed-out] no answer within 1000 ms`);
    }
    expect(clock.pending).toBe(0);
    probe.close();
  });

  test("at a path of the user's choice is a request of that path", async () => {
    await using server = await startFakeHttp(path => (path === statusPath ? status() : ready(path)));
    const clock = skippableClock();
    const probe = etcdProbe({ clock, path: "/readyz" });
    for (let count = 0; count < 6; count++) {
      expect(formatVerdict(await probeOnce(probe, at(server.port), regular))).toBe("etcd /readyz");
      clock.skip(10_000);
    }
    expect(server.asked).toEqual([readyzPath, statusPath, ...Array.from({ length: 5 }, () => readyzPath)]);
    probe.close();
  });

  test("at another port has no facts, since another member may be there", async () => {
    await using server = await startFakeHttp(() => status());
    const probe = etcdProbe({ port: server.port });
    const verdict = await probeOnce(probe, at(1), regular);
    expect(verdict).toMatchObject({ check: "etcd status", conclusive: false });
    expect(verdict.facts).toBeUndefined();
    probe.close();
  });

  test("is the same check as a deep one by other probes, in the time that the request gives", async () => {
    await using silent = await startBackend();
    for (const make of [httpProbe, tlsProbe]) {
      const clock = manualClock();
      const probing = probeOnce(make({ clock }), at(silent.port), { ...regular, timeoutMs: 500 });
      await expect.poll(() => silent.sockets.size).toBeGreaterThan(0);
      await expect.poll(() => clock.pending).toBeGreaterThan(0);
      await clock.advance(500);
      expect(formatVerdict(await probing)).toMatch(/\[timed-out\] no answer within 500 ms/);
    }
    expect(formatVerdict(await probeOnce(tcpProbe(), at(silent.port), regular))).toBe("tcp");
  });
});

describe("where the status is not served", () => {
  const note = (why: string): string =>
    `${localCheck}: its status is not served (${why}): only deep checks show whether it has a leader`;

  test.each<[string, (socket: Socket) => string | undefined]>([
    ["HTTP 400", () => http(400, '{"error":"etcdserver: user name is empty","code":3}')],
    ["HTTP 403", () => http(403, '{"error":"etcdserver: permission denied","code":7}')],
    ["HTTP 200", () => http(200, '{"status":"UP"}')],
    [
      "it ends the connection",
      socket => {
        socket.end();
        return undefined;
      },
    ],
  ])("(%s) a regular check asks what the member knows itself", async (why, refuse) => {
    await using server = await startFakeHttp((path, socket) =>
      path === statusPath ? refuse(socket) : ready(path),
    );
    const clock = skippableClock();
    const probe = autoProbe({ clock });
    const asked = (path: string): number => server.asked.filter(one => one === path).length;
    const minutes: number[][] = [];
    for (let minute = 0; minute < 8; minute++) {
      for (let count = 0; count < 6; count++) {
        expect(formatVerdict(await probeOnce(probe, at(server.port, false), regular))).toBe(note(why));
        clock.skip(10_000);
      }
      minutes.push([asked(readyzPath), asked(localPath), asked(statusPath)]);
    }
    expect(minutes.map(([count]) => count)).toEqual(Array(8).fill(1));
    expect(minutes.at(-1)?.[1]).toBe(8 * 6 - 1);
    // At once, and in the minutes 1, 3 and 7; on a kept connection that ends, the request is repeated once.
    const statuses = why.startsWith("HTTP") ? [1, 2, 2, 3, 3, 3, 3, 4] : [1, 3, 3, 5, 5, 5, 5, 7];
    expect(minutes.map(([, , count]) => count)).toEqual(statuses);
    probe.close();
  });

  test("a fault that a deep check has found is not refuted by less", async () => {
    let reads = true;
    await using server = await startFakeHttp(path =>
      path === statusPath ? http(404, "") : ready(path, reads),
    );
    const clock = skippableClock();
    const probe = etcdProbe({ clock });
    const check = async (request: ProbeRequest = regular): Promise<string> =>
      formatVerdict(await probeOnce(probe, at(server.port), request));
    expect(await check()).toBe(note("HTTP 404"));
    reads = false;
    expect(await check()).toBe(note("HTTP 404"));
    await check({});
    for (let count = 0; count < 3; count++)
      expect(await check()).toMatch(/^etcd \/readyz cluster \[unhealthy\] its cluster does not agree/);
    reads = true;
    expect(await check()).toBe(note("HTTP 404"));
    probe.close();
  });

  test("for a moment, it is asked for again with the next check", async () => {
    let isServed = false;
    await using server = await startFakeHttp(path => {
      if (path !== statusPath) return ready(path);
      return isServed ? status() : http(503, '{"error":"transport is closing","code":14}');
    });
    const probe = etcdProbe();
    for (let count = 0; count < 2; count++)
      expect(formatVerdict(await probeOnce(probe, at(server.port), regular))).toBe(note("HTTP 503"));
    isServed = true;
    expect(formatVerdict(await probeOnce(probe, at(server.port), regular))).toBe("etcd status");
    probe.close();
  });

  test("a member that is replaced by one that knows less is asked that", async () => {
    let isOld = false;
    await using server = await startFakeHttp(path => {
      if (path === statusPath) return http(404, "");
      if (!isOld) return ready(path);
      return path.startsWith("/health") ? http(200, '{"health":"true"}') : http(404, "");
    });
    const probe = etcdProbe();
    for (let count = 0; count < 2; count++)
      expect((await probeOnce(probe, at(server.port), regular)).check).toBe(localCheck);
    isOld = true;
    await probeOnce(probe, at(server.port));
    for (let count = 0; count < 2; count++)
      expect((await probeOnce(probe, at(server.port), regular)).check).toBe("etcd /version");
    probe.close();
  });
});

describe("a status that is", () => {
  const json = (body: object | string): string =>
    http(200, typeof body === "string" ? body : JSON.stringify(body));
  const header = { member_id: "1", cluster_id: "2" };
  test.each<[what: string, answer: string]>([
    ["empty", json("")],
    ["another product's", json({ header: { status: "ok" }, version: 7 })],
    ["one with an id of 2⁶⁴", json({ header: { member_id: "18446744073709551616" }, leader: "1" })],
    ["one with a negative id", json({ header: { member_id: "-1" }, leader: "1" })],
    ["one with a number as leader", json({ header, leader: 1 })],
    ["an array", json([{ header, leader: "1" }])],
    ["too large", json(`{"x":"${"y".repeat(70_000)}"}`)],
    ["nested too deeply", json("[".repeat(60_000))],
    ["not HTTP", "SSH-2.0-OpenSSH_9.2\r\n"],
    ["chunked garbage", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
    ["a protocol switch", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nx"],
    ["no content", "HTTP/1.1 204 No\r\n\r\n"],
  ])("%s is none, and the member is judged without it", async (_, answer) => {
    await using server = await startFakeHttp((path, socket) => {
      if (path !== statusPath) return ready(path);
      if (!answer.startsWith("HTTP/1.1 200 Words")) socket.end(answer);
      return answer.startsWith("HTTP/1.1 200 Words") ? answer : undefined;
    });
    const probe = etcdProbe();
    const verdict = await probeOnce(probe, at(server.port, false), regular);
    expect(formatVerdict(verdict)).toContain(`${localCheck}: its status is not served`);
    expect(verdict.facts?.clusterId).toBeUndefined();
    probe.close();
  });

  test.each<[what: string, head: string]>([
    ["of HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n"],
    [
      "behind a hint",
      "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    ],
    ["on a connection that is not kept", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"],
  ])("%s is read", async (_, head) => {
    const body = JSON.stringify({ header: { member_id: "1" }, leader: "1", extra: { a: [1] } });
    await using server = await startFakeHttp((_, socket) => {
      socket.end(head + body);
      return undefined;
    });
    const probe = etcdProbe();
    for (let count = 0; count < 2; count++) {
      const verdict = await probeOnce(probe, at(server.port, false), regular);
      expect(formatVerdict(verdict)).toBe("etcd status");
      expect(verdict.facts).toMatchObject({ memberId: "1", leaderId: "1" });
      expect(verdict.facts?.clusterId).toBeUndefined();
    }
    expect(server.accepted).toBe(2);
    probe.close();
  });

  test("sent a byte at a time is not waited for longer than the timeout", async () => {
    const clock = manualClock();
    await using server = await startBackend(socket => {
      const drip = (): void => {
        if (socket.destroyed) return;
        socket.write("H");
        clock.after(100, drip);
      };
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\nX-Slow: ");
        drip();
      });
    });
    const probe = etcdProbe({ clock, timeoutMs: 1_000 });
    const probing = probeOnce(probe, at(server.port, false), regular);
    await expect.poll(() => server.sockets.values().next().value?.bytesRead ?? 0).toBeGreaterThan(0);
    await clock.advance(1_000);
    expect(formatVerdict(await probing)).toMatch(/\[timed-out\] no answer within 1000 ms$/);
    probe.close();
  });
});
