import { manualClock, startBackend } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { at, formatVerdict, probeOnce } from "../../test/probing.js";
import { tcpProbe } from "./tcp.js";

const mute = "tcp endpoint [reset] it ended the connection before it sent a byte";

describe("by the TCP probe", () => {
  test("what keeps a connection open is healthy", async () => {
    const clock = manualClock();
    await using server = await startBackend();
    const probing = probeOnce(tcpProbe({ clock }), at(server.port));
    await server.next();
    await expect.poll(() => clock.pending).toBe(2);
    await clock.advance(300);
    expect(formatVerdict(await probing)).toBe("tcp");
  });

  test("what keeps it open until the time is up is healthy", async () => {
    const clock = manualClock();
    await using server = await startBackend();
    const probing = probeOnce(tcpProbe({ clock, timeoutMs: 100 }), at(server.port));
    await server.next();
    await expect.poll(() => clock.pending).toBe(2);
    await clock.advance(100);
    expect(formatVerdict(await probing)).toBe("tcp");
  });

  test("what ends or resets it at once is unhealthy", async () => {
    await using ending = await startBackend(socket => socket.end());
    await using resetting = await startBackend(socket => socket.resetAndDestroy());
    for (const { port } of [ending, resetting])
      expect(formatVerdict(await probeOnce(tcpProbe(), at(port)))).toMatch(/^tcp endpoint \[reset\] /);
    expect(formatVerdict(await probeOnce(tcpProbe(), at(ending.port)))).toBe(mute);
  });

  test("what sends a byte first is healthy, though it ends then", async () => {
    await using server = await startBackend(socket => socket.end("SSH-2.0-x\r\n"));
    expect(formatVerdict(await probeOnce(tcpProbe(), at(server.port)))).toBe("tcp");
  });

  test("a check that is aborted meanwhile has no verdict", async () => {
    await using server = await startBackend();
    const stop = new AbortController();
    const probing = tcpProbe()(at(server.port), stop.signal);
    await server.next();
    stop.abort();
    await expect(probing).rejects.toMatchObject({ code: "aborted" });
  });
});
