import { type Discovery, type Endpoint, GatewayError } from "@gw/interface";
import { queue } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { startFakeCluster } from "../test/fake-etcd.js";
import { file } from "./file/file.js";
import { members } from "./members/members.js";
import { merge } from "./merge.js";
import { parseEndpoint } from "./parse.js";
import { type Reading, refreshing } from "./refresh.js";
import { srv } from "./srv.js";
import { staticEndpoints } from "./static.js";
import { validated } from "./validate.js";

const [a, b] = ["https://a", "https://b"].map(parseEndpoint) as [Endpoint, Endpoint];
const set = (...endpoints: readonly Endpoint[]): Reading => ({ endpoints, ttlMs: 3_600_000 });
const unanswered = new GatewayError("timed-out", "no answer");
const invalid = new GatewayError("invalid-option", "nonsense");

/** A source that reads what the test puts. */
function fed(name = "fed") {
  const readings = queue<Reading | GatewayError>();
  const read = async (signal: AbortSignal): Promise<Reading> => {
    const aborted = new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason)),
    );
    const reading = await Promise.race([readings.take(), aborted]);
    if (reading instanceof GatewayError) throw reading;
    return reading;
  };
  return { put: readings.put, ...refreshing(name, read, { minRefreshMs: 1 }) };
}

/** Watches `discovery` until the test ends; each outcome is "settled" or the code of the error. */
function settled(discovery: Discovery) {
  const stop = new AbortController();
  const outcomes: string[] = [];
  const first = new Promise<string>(resolve => {
    const onSettled = (error?: GatewayError): void => {
      outcomes.push(error?.code ?? "settled");
      resolve(outcomes[0] as string);
    };
    void (async () => {
      for await (const _ of discovery.watch({ signal: stop.signal, onSettled }));
    })().catch(() => {});
  });
  return {
    first,
    outcomes,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await new Promise(setImmediate);
      expect(outcomes.length).toBeLessThanOrEqual(1);
    },
  };
}

const turn = (): Promise<void> => new Promise(setImmediate);

describe("a source that is read again and again is settled", () => {
  test.each([
    ["by its first set", set(a), "settled"],
    ["by a failure", unanswered, "timed-out"],
    ["by an answer without endpoints", set(), "name-not-resolved"],
    ["by a fault of the configuration", invalid, "invalid-option"],
  ] as const)("%s", async (_, reading, outcome) => {
    const source = fed();
    await using watch = settled(source);
    source.put(reading);
    expect(await watch.first).toBe(outcome);
  });

  test("once", async () => {
    const source = fed();
    await using watch = settled(source);
    source.put(unanswered);
    await watch.first;
    for (const reading of [set(a), unanswered, set(b)]) source.put(reading);
    await turn();
    expect(watch.outcomes).toEqual(["timed-out"]);
  });
});

test("a static list is settled at once", async () => {
  await using watch = settled(staticEndpoints([a]));
  expect(await watch.first).toBe("settled");
});

test("a file and SRV records are settled by their first read", async () => {
  await using missing = settled(file("/no/such/file"));
  expect(await missing.first).toBe("invalid-option");
  const dns = {
    srv: () => Promise.reject(unanswered),
    addresses: () => Promise.reject(unanswered),
    forget() {},
  };
  await using silent = settled(srv({ domain: "example.com", dns }));
  expect(await silent.first).toBe("timed-out");
});

describe("a union is settled", () => {
  test("when all of its sources are", async () => {
    const [one, other] = [fed("one"), fed("other")];
    await using watch = settled(merge([one, staticEndpoints([b]), other]));
    one.put(unanswered);
    await turn();
    expect(watch.outcomes).toEqual([]);
    other.put(set(a));
    expect(await watch.first).toBe("settled");
  });

  test("with the first failure if no source has a set", async () => {
    const [one, other] = [fed("one"), fed("other")];
    await using watch = settled(merge([one, other]));
    one.put(unanswered);
    other.put(set());
    expect(await watch.first).toBe("timed-out");
  });

  test("at once by a fault of the configuration, also by a later one", async () => {
    const [one, other] = [fed("one"), fed("other")];
    await using watch = settled(merge([one, other]));
    one.put(unanswered);
    one.put(invalid);
    expect(await watch.first).toBe("invalid-option");
  });

  test("without sources", async () => {
    await using watch = settled(merge([]));
    expect(await watch.first).toBe("settled");
  });

  test("also if a source does not report it: by a first set, an end or what is thrown", async () => {
    const first: Discovery = {
      async *watch({ signal }) {
        yield [a];
        await new Promise(resolve => signal.addEventListener("abort", resolve));
      },
    };
    const ending: Discovery = { async *watch() {} };
    const throwing: Discovery = {
      // biome-ignore lint/correctness/useYield: it fails before it has a set
      async *watch() {
        throw unanswered;
      },
    };
    await using watch = settled(merge([first, ending, throwing]));
    expect(await watch.first).toBe("settled");
  });
});

describe("a validated source is settled", () => {
  const never = (): Promise<never> => new Promise(() => {});

  test("when its source is, however long validation takes", async () => {
    const source = fed();
    await using watch = settled(validated(source, never));
    source.put(set(a));
    expect(await watch.first).toBe("settled");
  });

  test("by its source's fault of the configuration", async () => {
    const source = fed();
    await using watch = settled(validated(source, never));
    source.put(invalid);
    expect(await watch.first).toBe("invalid-option");
  });
});

describe("the members of a cluster are settled", () => {
  test("when the seeds and the cluster have answered", async () => {
    await using cluster = await startFakeCluster(1);
    const seeds = fed();
    await using watch = settled(members({ seeds }));
    await turn();
    expect(watch.outcomes).toEqual([]);
    seeds.put(set(...cluster.servers.map(({ url }) => parseEndpoint(url))));
    expect(await watch.first).toBe("settled");
  });

  test("by a fault of the seeds' configuration", async () => {
    const seeds = fed();
    await using watch = settled(members({ seeds }));
    seeds.put(invalid);
    expect(await watch.first).toBe("invalid-option");
  });
});
