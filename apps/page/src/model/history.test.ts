import { describe, expect, test } from "vitest";
import { endpoint, status } from "../../test/statuses.js";
import { createHistory, samplesKept } from "./history.js";

/** Totals of an endpoint that has these and nothing else. */
function totals(more: Partial<ReturnType<typeof endpoint>["totals"]>) {
  return { ...endpoint("").totals, ...more };
}

describe("the history", () => {
  test("makes rates of what grew between two statuses", () => {
    const history = createHistory();
    const first = status({ endpoints: [endpoint("a:1", { totals: totals({ bytesFromClient: 100 }) })] }, 0);
    history.add(first);
    const second = status({}, 2);
    history.add({
      ...second,
      endpoints: [
        endpoint("a:1", {
          totals: totals({ bytesFromClient: 300, bytesFromBackend: 4_000, connected: 4, dialMsSum: 6 }),
        }),
      ],
      connections: { ...second.connections, accepted: first.connections.accepted + 10 },
    });
    expect(history.samples[0]).toMatchObject({ open: 12, accepted: null, toClients: null, dialMean: null });
    expect(history.samples[1]).toMatchObject({
      accepted: 5,
      toClients: 2_000,
      toEndpoints: 100,
      dialMean: 1.5,
      dialMost: 2,
    });
    expect(history.rates.get("a:1")).toEqual({ toClients: 2_000, toEndpoint: 100 });
  });

  test("takes no growth from an endpoint that was not there before", () => {
    const history = createHistory();
    history.add(status({ endpoints: [] }, 0));
    history.add(status({ endpoints: [endpoint("a:1", { totals: totals({ bytesFromBackend: 1e12 }) })] }, 1));
    expect(history.samples[1]?.toClients).toBe(0);
  });

  test("has no values where no dial succeeded", () => {
    const history = createHistory();
    const same = { connections: status().connections };
    history.add(status(same, 0));
    history.add(status(same, 1));
    expect(history.samples[1]).toMatchObject({ dialMean: 1.5, dialMost: null });
  });

  test("begins again when the gateway restarts, with a gap", () => {
    const history = createHistory();
    history.add(status({}, 100));
    history.add(status({}, 101));
    const restarted = status({}, 0);
    const gateway = { ...status({}, 102).gateway, startedAt: "2026-11-29T08:01:41.000Z" };
    history.add({ ...restarted, gateway });
    expect(history.samples.map(({ open }) => open)).toEqual([12, 13, null, 12]);
    expect(history.samples.at(-1)).toMatchObject({ accepted: null, toClients: null });
  });

  test("has a gap where nothing was heard, and no rates over it", () => {
    const history = createHistory();
    for (const second of [0, 1, 60, 61]) history.add(status({}, second));
    expect(history.samples.map(({ open }) => open === null)).toEqual([false, false, true, false, false]);
    expect(history.samples[3]?.accepted).toBeNull();
    expect(history.samples[4]?.accepted).toBe(1);
  });

  test("is bounded, and knows when it began", () => {
    const history = createHistory();
    for (let second = 0; second < samplesKept + 50; second++) history.add(status({}, second));
    expect(history.samples.length).toBe(samplesKept);
    expect(history.since).toBe(Date.parse(status().gateway.now));
  });

  test("starts over when the clock is set back, and ignores a status of the same time", () => {
    const history = createHistory();
    history.add(status({}, 50));
    history.add(status({}, 50));
    expect(history.samples.length).toBe(1);
    history.add(status({}, 10));
    expect(history.samples.length).toBe(1);
    expect(history.samples[0]?.toClients).toBeNull();
  });
});
