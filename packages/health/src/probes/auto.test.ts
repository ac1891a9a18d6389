import { manualClock, missing, startBackend } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { startMember } from "../../test/member.js";
import { at, formatVerdict, http, probeOnce, skippableClock, startFakeHttp } from "../../test/probing.js";
import { autoProbe } from "./auto.js";

const mute = (scope: string): string => `tcp ${scope} [reset] it ended the connection before it sent a byte`;

describe("by the auto probe", () => {
  test("what does not speak etcd is connected to, and asked again now and then", async () => {
    let answer = http(404, "");
    await using server = await startFakeHttp(() => answer);
    const clock = skippableClock();
    const probe = autoProbe({ clock });
    const depths = ["regular", "deep"] as const;
    for (const depth of depths)
      expect(formatVerdict(await probeOnce(probe, at(server.port), { depth }))).toBe("tcp");
    expect(server.asked).toEqual(["/v3/maintenance/status", "/readyz?verbose", "/health?exclude=NOSPACE"]);
    // In a minute, and then after twice as long.
    for (const [minutes, requests] of [
      [1, 3],
      [1, 0],
      [1, 3],
    ] as const) {
      clock.skip(minutes * 60_000);
      const before = server.asked.length;
      expect(formatVerdict(await probeOnce(probe, at(server.port), { depth: "regular" }))).toBe("tcp");
      expect(server.asked.length - before).toBe(requests);
    }
    answer = http(200, '{"health":"true"}');
    clock.skip(240_000);
    expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe("etcd /health");
    probe.close();
  });

  test("what spoke etcd and does no more is unhealthy", async () => {
    let answer = http(200, '{"health":"true"}');
    await using server = await startFakeHttp(() => answer);
    const probe = autoProbe();
    expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe("etcd /health");
    answer = http(500, "");
    expect(formatVerdict(await probeOnce(probe, at(server.port)))).toMatch(
      /\[unhealthy\] it does not answer as etcd does$/,
    );
    probe.close();
  });

  test("what is silent is healthy by a connection, within the timeout", async () => {
    const clock = manualClock();
    await using server = await startFakeHttp(() => undefined);
    const probe = autoProbe({ clock, timeoutMs: 1_000 });
    const probing = probeOnce(probe, at(server.port));
    await expect.poll(() => server.asked.length).toBe(1);
    await clock.advance(750);
    await expect.poll(() => server.asked.length).toBe(2);
    await clock.advance(250);
    expect(formatVerdict(await probing)).toBe("tcp");
    const connecting = probeOnce(probe, at(server.port));
    await expect.poll(() => clock.pending).toBe(2);
    await clock.advance(300);
    expect(formatVerdict(await connecting)).toBe("tcp");
    expect(server.asked.length).toBe(2);
    probe.close();
  });

  test("what is down is unhealthy, and found out when it is up", async () => {
    await using server = await startFakeHttp(() => http(200, '{"health":"true"}'));
    const probe = autoProbe();
    await server.stop();
    expect(formatVerdict(await probeOnce(probe, at(server.port)))).toMatch(/^tcp endpoint \[refused\] /);
    await server.listenAgain();
    expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe("etcd /health");
    probe.close();
  });

  test("what ends connections without a byte is unhealthy, from the first check on", async () => {
    await using ending = await startBackend(socket => socket.end());
    await using resetting = await startBackend(socket => socket.resetAndDestroy());
    await using hearing = await startBackend(socket => socket.once("data", () => socket.end()));
    const probe = autoProbe();
    for (const { port } of [ending, resetting, hearing, ending])
      expect(formatVerdict(await probeOnce(probe, at(port)))).toBe(mute("cluster"));
    await using other = await startFakeHttp(() => http(404, ""));
    expect(formatVerdict(await probeOnce(probe, at(other.port)))).toBe("tcp");
    // Something answers: so these could, too.
    for (const { port } of [ending, resetting, hearing])
      expect(formatVerdict(await probeOnce(probe, at(port)))).toBe(mute("endpoint"));
    probe.close();
  });

  test("what was connected to and ends connections now is unhealthy at the next check", async () => {
    let answers = true;
    await using server = await startBackend(socket => {
      if (answers) socket.once("data", () => socket.end(http(404, "")));
      else socket.destroy();
    });
    const probe = autoProbe();
    for (let count = 0; count < 2; count++)
      expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe("tcp");
    answers = false;
    expect(formatVerdict(await probeOnce(probe, at(server.port)))).toBe(
      "tcp endpoint [reset] it ended the connection before it sent a byte",
    );
    probe.close();
  });

  test("a name that cannot be resolved may be a fault of all", async () => {
    const probe = autoProbe();
    const { error, scope } = await probeOnce(probe, { ...at(1), host: "nobody.invalid" });
    expect([error?.code, scope]).toEqual(["name-not-resolved", "cluster"]);
  });
});

describe.skipIf(missing("etcd"))("by the auto probe, beside an etcd", () => {
  test("what is silent is taken for a member that hangs", async () => {
    await using silent = await startBackend();
    await using member = await startMember();
    const probe = autoProbe({ timeoutMs: 1_500 });
    expect(formatVerdict(await probeOnce(probe, at(member.port)))).toBe("etcd /health");
    expect(formatVerdict(await probeOnce(probe, at(silent.port)))).toBe(
      "tcp endpoint [timed-out] no answer within 1500 ms",
    );
    probe.close();
  });
});
