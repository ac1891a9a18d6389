import type { Candidate, Endpoint, Observer, Selector } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { a, b, c, inTurn, refused, rig } from "../../test/support.js";

/** A selector that need not keep to the types. */
function selector(pick: (candidates: readonly Candidate[]) => unknown): Selector {
  return { pick: pick as Selector["pick"] };
}

const broken: { readonly [fault: string]: (candidates: readonly Candidate[]) => unknown } = {
  throws() {
    throw new Error("boom");
  },
  "throws something that is no error"() {
    throw Object.create(null);
  },
  "returns nothing": () => undefined,
  "returns null": () => null,
  "returns a copy": ([one]) => ({ ...one }),
  "returns an invention": () => ({ endpoint: { host: "203.0.113.1", port: 1 }, connections: 0 }),
  "returns an endpoint": ([one]) => one?.endpoint,
  "returns a promise": async ([one]) => one,
  "returns a promise that is rejected": async () => Promise.reject(new Error("boom")),
  "adds to the array": candidates => (candidates as Candidate[]).push({ endpoint: a, connections: 0 }),
  "takes from the array": candidates => (candidates as Candidate[]).pop(),
  "writes into a candidate": ([one]) => one && Object.assign(one, { connections: -1 }),
  "writes into an endpoint": ([one]) => one && Object.assign(one.endpoint, { host: "203.0.113.1" }),
};

describe.each(Object.entries(broken))("a selector that %s", (_, pick) => {
  test("is replaced by a pick at random, and every client is served", () => {
    const { hosts, log } = rig([a, b, c], { selector: selector(pick) });
    expect(new Set(hosts(200))).toEqual(new Set(["a", "b", "c"]));
    expect(log).toEqual([expect.stringMatching(/^\[selector-failed\] the selector failed: .+$/)]);
  });
});

describe("a selector that fails", () => {
  test("by keeping to a candidate that is down is reported and replaced", () => {
    const kept: Candidate[] = [];
    const sticking = selector(([one]) => {
      if (one && kept.length === 0) kept.push(one);
      return kept[0];
    });
    const { take, hosts, log } = rig([a, b], { selector: sticking });
    expect(hosts(2)).toEqual(["a", "a"]);
    take().failed(refused);
    expect(hosts(2)).toEqual(["b", "b"]);
    expect(log.at(-1)).toBe(
      "[selector-failed] the selector failed: it returned something other than one of the candidates",
    );
  });

  test("is reported once, and again after it has worked", () => {
    let works = false;
    const { hosts, log } = rig([a], { selector: selector(([one]) => (works ? one : undefined)) });
    hosts(3);
    expect(log.length).toBe(1);
    works = true;
    hosts(1);
    works = false;
    hosts(3);
    expect(log.length).toBe(2);
  });

  test("is not offered more by having tried to change the array", () => {
    const seen: number[] = [];
    const { hosts } = rig([a, b, c], {
      selector: selector(candidates => {
        seen.push(candidates.length);
        return (candidates as Candidate[]).pop();
      }),
    });
    hosts(3);
    expect(seen).toEqual([3, 3, 3]);
  });

  test("is never asked when there is nothing to pick", () => {
    const { pool } = rig([a], {
      selector: selector(() => {
        throw new Error("asked");
      }),
    });
    expect(pool.acquire({ tried: [a], onRevoked() {} })).toBeUndefined();
  });
});

describe("an observer that throws", () => {
  /** Throws at every event. */
  const observer: Observer = new Proxy({} as Observer, {
    get: () => () => {
      throw new Error("observer");
    },
  });

  /** A small history, as the endpoints that clients got. */
  async function history(observer: Observer | undefined): Promise<readonly Endpoint[]> {
    const { pool, take, clock } = rig([a, b], { observer, selector: inTurn() });
    const got: Endpoint[] = [];
    const next = (...tried: Endpoint[]): ReturnType<typeof take> => {
      const lease = take(...tried);
      got.push(lease.endpoint);
      return lease;
    };
    next().connected();
    next().failed(refused);
    next().failed(refused);
    next().failed(refused);
    await clock.advance(1_000);
    next().connected();
    pool.update([b, c]);
    next().connected();
    next().connected();
    return got;
  }

  test("changes nothing", async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error): unknown => warnings.push(warning);
    process.on("warning", listen);
    expect(await history(observer)).toEqual(await history(undefined));
    process.off("warning", listen);
    expect(warnings.map(({ message }) => message)).toContain(
      "gw: the observer's endpointDown threw: observer",
    );
  });

  test("while a selector fails leaves the client served", () => {
    const { take } = rig([a], { observer, selector: selector(() => undefined) });
    expect(take().endpoint.host).toBe("a");
  });
});
