import type { Endpoint } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { a, b, c, endpoint, noDescriptors, refused, rig, timedOut } from "../../test/support.js";

/** A probe that tests answer by hand. */
function manualProbe() {
  const running: { endpoint: Endpoint; signal: AbortSignal; up: () => void; down: (error: Error) => void }[] =
    [];
  return {
    running,
    probe: (endpoint: Endpoint, signal: AbortSignal): Promise<undefined> =>
      new Promise((resolve, down) => {
        running.push({ endpoint, signal, up: () => resolve(undefined), down });
      }),
  };
}

describe("a probe", () => {
  test("that succeeds marks the endpoint up", async () => {
    const { running, probe } = manualProbe();
    const { take, hosts, log, clock } = rig([a, b], { probe });
    take().failed(refused);
    await clock.advance(1_000);
    expect(running.map(({ endpoint }) => endpoint.host)).toEqual(["a"]);
    expect(hosts(1)).toEqual(["b"]);
    await clock.advance(5);
    running[0]?.up();
    await clock.advance(0);
    expect(log.at(-1)).toBe("up a after 1005");
    expect(hosts(1)).toEqual(["a"]);
    expect(clock.pending).toBe(0);
  });

  test("that fails leaves it down, and is run again after another delay", async () => {
    const { running, probe } = manualProbe();
    const { take, hosts, log, clock } = rig([a, b], { probe });
    take().failed(refused);
    await clock.advance(1_000);
    running[0]?.down(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
    await clock.advance(0);
    expect(log.at(-1)).toBe("still down a for 1000: probe a:2379: connection reset (ECONNRESET)");
    expect(hosts(1)).toEqual(["b"]);
    await clock.advance(999);
    expect(running.length).toBe(1);
    await clock.advance(1);
    expect(running.length).toBe(2);
    running[1]?.up();
    await clock.advance(0);
    expect(log.at(-1)).toBe("up a after 2000");
  });

  test("that fails after an update is reported with the endpoint of now", async () => {
    const { running, probe } = manualProbe();
    const weights: number[] = [];
    const observer = {
      endpointStillDown: ({ endpoint }: { readonly endpoint: Endpoint }) => weights.push(endpoint.weight),
    };
    const { pool, take, clock } = rig([a, b], { probe, observer });
    take().failed(refused);
    await clock.advance(1_000);
    pool.update([{ ...a, weight: 7 }, b]);
    running[0]?.down(refused);
    await clock.advance(0);
    expect(weights).toEqual([7]);
  });

  test("that throws at once counts as one that fails", async () => {
    const { take, log, clock } = rig([a, b], {
      probe() {
        throw timedOut;
      },
    });
    take().failed(refused);
    await clock.advance(2_000);
    expect(log.slice(1)).toEqual(["still down a for 1000: no answer", "still down a for 1000: no answer"]);
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
    expect(log.slice(1)).toEqual([
      "panic all-down a: connection refused",
      "up a after 1000",
      "panic over after 1000",
    ]);
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
    expect(log.some(line => line.startsWith("up"))).toBe(false);
  });

  test("goes on to give leases, and to mark down and up", () => {
    const { take, pool, log, clock } = rig([a, b]);
    pool.close();
    take().failed(refused);
    expect(take().endpoint.host).toBe("b");
    expect(clock.pending).toBe(0);
    take(b).connected();
    expect(log).toEqual(["down a for 1000: connection refused", "up a after 0"]);
  });
});

describe("probes of many endpoints", () => {
  const many = Array.from({ length: 100 }, (_, index) => endpoint(`e${index}`));

  test("are 16 at the same time", async () => {
    const { running, probe } = manualProbe();
    const { take, clock } = rig(many, { probe });
    for (const _ of many) take().failed(refused);
    await clock.advance(60_000);
    expect(running.length).toBe(16);
    running[0]?.up();
    running[1]?.down(refused);
    await clock.advance(0);
    expect(running.length).toBe(18);
    expect(new Set(running.map(({ endpoint }) => endpoint.host)).size).toBe(18);
  });

  test("of those that hang do not hold up the others", async () => {
    const probed: string[] = [];
    const { take, clock, log } = rig(many, {
      probe: ({ host }, signal) => {
        probed.push(host);
        if (host === "e99") return Promise.resolve(undefined);
        return new Promise((_, reject) => signal.addEventListener("abort", reject));
      },
    });
    for (const { host } of many) take().failed(host === "e99" ? refused : timedOut);
    await clock.advance(60_000);
    expect(probed.length).toBe(13);
    expect(log.filter(line => line.startsWith("up"))).toEqual(["up e99 after 1000"]);
  });

  test("that are given up before their turn are not made", async () => {
    const { running, probe } = manualProbe();
    const { take, pool, clock } = rig(many, { probe });
    for (const _ of many) take().failed(refused);
    await clock.advance(60_000);
    pool.close();
    for (const { down } of running.slice()) down(refused);
    await clock.advance(0);
    expect(running.length).toBe(16);
  });
});

test("a probe that fails because this machine lacks resources is no failure of the endpoint, and is repeated", async () => {
  let lacking = true;
  const { take, log, clock } = rig([a, b], {
    probe: () => (lacking ? Promise.reject(noDescriptors) : Promise.resolve(undefined)),
  });
  take().failed(refused);
  await clock.advance(6_000);
  lacking = false;
  await clock.advance(5_000);
  expect(log).toEqual(["down a for 1000: connection refused", "up a after 11000"]);
});
