import { type Endpoint, GatewayError } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { a, b, c, refused, rig, timedOut } from "../test/support.js";
import { createPool } from "./pool.js";

/** A probe that tests answer by hand. */
function manualProbe() {
  const running: { endpoint: Endpoint; signal: AbortSignal; up: () => void; down: (error: Error) => void }[] =
    [];
  return {
    running,
    probe: (endpoint: Endpoint, signal: AbortSignal): Promise<void> =>
      new Promise((up, down) => {
        running.push({ endpoint, signal, up, down });
      }),
  };
}

describe("an endpoint whose dial fails", () => {
  test("gets no connections until it is tried again", async () => {
    const { take, hosts, log, clock } = rig([a, b]);
    take().failed(refused);
    expect(log).toEqual(["aside a for 1000: connection refused"]);
    expect(hosts(2)).toEqual(["b", "b"]);
    await clock.advance(999);
    expect(hosts(1)).toEqual(["b"]);
  });

  test("is offered again after the retry delay where there is no probe", async () => {
    const { take, hosts, log, clock } = rig([a, b]);
    take().failed(refused);
    await clock.advance(1_000);
    expect(hosts(1)).toEqual(["a"]);
    expect(log.at(-1)).toBe("back a after 1000");
    expect(clock.pending).toBe(0);
  });

  test("is set aside for a minute unless told otherwise", () => {
    const told: number[] = [];
    const pool = createPool({ observer: { setAside: ({ retryInMs }) => told.push(retryInMs) } });
    pool.update([a]);
    pool.acquire({ tried: [], onRevoked() {} })?.failed(refused);
    pool.close();
    expect(told).toEqual([60_000]);
  });

  test("for a reason of this machine's own is not set aside", () => {
    const { take, hosts, log, clock } = rig([a, b]);
    for (const code of ["out-of-resources", "address-not-available", "aborted"] as const)
      take().failed(new GatewayError(code, "not the endpoint's fault"));
    expect(hosts(1)).toEqual(["a"]);
    expect(log).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test("is set aside once, however many dials fail", () => {
    const { take, log, clock } = rig([a, b]);
    const leases = [take(), take(), take()];
    for (const lease of leases) lease.failed(refused);
    expect(log.length).toBe(1);
    expect(clock.pending).toBe(1);
  });

  test("revokes all other dials to it, and neither connections nor dials elsewhere", () => {
    const { take } = rig([a, b]);
    const [failing, dialling, connected, elsewhere] = [take(), take(), take(), take(a)];
    connected.connected();
    failing.failed(timedOut);
    expect(dialling.revoked).toEqual([timedOut]);
    for (const lease of [failing, connected, elsewhere]) expect(lease.revoked).toEqual([]);
  });

  test("revokes dials once, though more fail later", () => {
    const { take } = rig([a, b]);
    const [one, two, three] = [take(), take(), take()];
    one.failed(timedOut);
    two.failed(refused);
    expect(three.revoked).toEqual([timedOut]);
  });
});

describe("a probe", () => {
  test("that succeeds brings the endpoint back", async () => {
    const { running, probe } = manualProbe();
    const { take, hosts, log, clock } = rig([a, b], { probe });
    take().failed(refused);
    await clock.advance(1_000);
    expect(running.map(({ endpoint }) => endpoint.host)).toEqual(["a"]);
    expect(hosts(1)).toEqual(["b"]);
    await clock.advance(5);
    running[0]?.up();
    await clock.advance(0);
    expect(log.at(-1)).toBe("back a after 1005");
    expect(hosts(1)).toEqual(["a"]);
    expect(clock.pending).toBe(0);
  });

  test("that fails leaves it aside, and is run again after another delay", async () => {
    const { running, probe } = manualProbe();
    const { take, hosts, log, clock } = rig([a, b], { probe });
    take().failed(refused);
    await clock.advance(1_000);
    running[0]?.down(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
    await clock.advance(0);
    expect(log.at(-1)).toBe("still aside a for 1000: probe a:2379: connection reset (ECONNRESET)");
    expect(hosts(1)).toEqual(["b"]);
    await clock.advance(999);
    expect(running.length).toBe(1);
    await clock.advance(1);
    expect(running.length).toBe(2);
    running[1]?.up();
    await clock.advance(0);
    expect(log.at(-1)).toBe("back a after 2000");
  });

  test("that throws at once counts as one that fails", async () => {
    const { take, log, clock } = rig([a, b], {
      probe() {
        throw timedOut;
      },
    });
    take().failed(refused);
    await clock.advance(2_000);
    expect(log.slice(1)).toEqual(["still aside a for 1000: no answer", "still aside a for 1000: no answer"]);
  });

  test("is cancelled when a connection proves the endpoint to be up", async () => {
    const { running, probe } = manualProbe();
    const { take, log, clock } = rig([a], { probe });
    take().failed(refused);
    await clock.advance(1_000);
    take().connected();
    expect(running[0]?.signal.aborted).toBe(true);
    running[0]?.down(refused);
    await clock.advance(5_000);
    expect(log.slice(1)).toEqual(["last chance a", "back a after 1000"]);
    expect(running.length).toBe(1);
  });

  test("tries each endpoint at its own time", async () => {
    const { running, probe } = manualProbe();
    const { take, clock } = rig([a, b, c], { probe });
    take().failed(refused);
    await clock.advance(400);
    take().failed(refused);
    await clock.advance(600);
    expect(running.map(({ endpoint }) => endpoint.host)).toEqual(["a"]);
    await clock.advance(400);
    expect(running.map(({ endpoint }) => endpoint.host)).toEqual(["a", "b"]);
  });
});

describe("when all are set aside", () => {
  test("all are tried all the same, which is said once until one is back", async () => {
    const { take, hosts, log, clock } = rig([a, b]);
    take().failed(refused);
    take().failed(refused);
    log.length = 0;
    expect(hosts(3)).toEqual(["a", "a", "a"]);
    take().failed(refused);
    take(a).failed(refused);
    expect(log).toEqual(["last chance a,b"]);
    await clock.advance(1_000);
    expect(hosts(1)).toEqual(["a"]);
    take().failed(refused);
    take().failed(refused);
    expect(hosts(1)).toEqual(["a"]);
    expect(log.filter(line => line.startsWith("last chance")).length).toBe(2);
  });

  test("a connection that is made brings its endpoint back at once", () => {
    const { take, hosts, log, clock } = rig([a, b]);
    take().failed(refused);
    take().failed(refused);
    take(a).connected();
    expect(log.at(-1)).toBe("back b after 0");
    expect(hosts(1)).toEqual(["b"]);
    expect(clock.pending).toBe(1);
  });

  test("it is not said for a client that has tried what is up", () => {
    const { take, log } = rig([a, b]);
    take().failed(refused);
    expect(take(b).endpoint.host).toBe("a");
    expect(log.length).toBe(1);
  });

  test("it is said again if in between a new endpoint was up", () => {
    const { take, pool, log } = rig([a]);
    take().failed(refused);
    take().released();
    pool.update([a, b]);
    take().failed(refused);
    take().released();
    expect(log.filter(line => line.startsWith("last chance"))).toEqual(["last chance a", "last chance a,b"]);
  });
});

describe("a pool that is closed", () => {
  test("tries nothing again, and cancels the probe that runs", async () => {
    const { running, probe } = manualProbe();
    const { take, pool, log, clock } = rig([a, b, c], { probe });
    take().failed(refused);
    await clock.advance(1_000);
    take().failed(refused);
    pool.close();
    expect(clock.pending).toBe(0);
    expect(running[0]?.signal.aborted).toBe(true);
    running[0]?.up();
    await clock.advance(10_000);
    expect(log.some(line => line.startsWith("back"))).toBe(false);
  });

  test("goes on to give leases, to set aside and to take back", () => {
    const { take, pool, log, clock } = rig([a, b]);
    pool.close();
    take().failed(refused);
    expect(take().endpoint.host).toBe("b");
    expect(clock.pending).toBe(0);
    take(b).connected();
    expect(log).toEqual(["aside a for 1000: connection refused", "back a after 0"]);
  });
});
