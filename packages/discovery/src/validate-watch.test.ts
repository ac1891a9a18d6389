import { discoveryCompliance } from "@gw/compliance";
import { type Discovery, type Endpoint, GatewayError } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { bytesPerChange, changingSource } from "../test/memory-leak.js";
import { down, secure, untrusted, watchValidated } from "../test/validated.js";
import { staticEndpoints } from "./static.js";
import { validated } from "./validate.js";

const pass = async (): Promise<void> => {};
const { signal } = new AbortController();

describe("a validated static list", () => {
  const endpoints = secure("a", "b");
  for (const { name, run } of discoveryCompliance({
    make: () => validated(staticEndpoints(endpoints), pass),
    endpoints,
  }))
    test(name, run);
});

describe("a validated source that changes", () => {
  let change = (): void => {};
  const make = (): Discovery => {
    const watches = new Set<() => void>();
    let count = 0;
    change = () => {
      count += 1;
      for (const wake of watches) wake();
    };
    const source: Discovery = {
      async *watch({ signal }) {
        let wake = (): void => {};
        const woken = (): void => wake();
        watches.add(woken);
        signal.addEventListener("abort", woken);
        for (let seen = -1; !signal.aborted; ) {
          if (seen === count)
            await new Promise<void>(resolve => {
              wake = resolve;
            });
          else {
            seen = count;
            yield secure("a", `b${count}`, "bad");
          }
        }
        watches.delete(woken);
      },
    };
    return validated(source, async ({ host }) => {
      if (host === "bad") throw untrusted("bad");
    });
  };
  for (const { name, run } of discoveryCompliance({
    make,
    change: () => change(),
    endpoints: secure("a", "b0"),
  }))
    test(name, run);
});

test("checks again: after `maxRefreshMs` if the check passed, else with back-off", async () => {
  await using it = await watchValidated({ minRefreshMs: 1_000, maxRefreshMs: 5_000 });
  it.results.set("down", down("down refused"));
  await it.offer(secure("a", "down"));
  const log = [];
  for (let second = 0; second <= 12; second++) {
    log.push(`${second}: ${it.checked().join()}`);
    await it.clock.advance(1_000);
  }
  const checks = log.filter(line => !line.endsWith(": "));
  expect(checks).toEqual(["0: a,down", "1: down", "3: down", "5: a", "7: down", "10: a", "12: down"]);
});

test("refresh requests during a check lead to one more check", async () => {
  await using it = await watchValidated();
  let finish = (): void => {};
  const finished = new Promise<void>(resolve => {
    finish = resolve;
  });
  it.results.set("a", finished);
  await it.offer(secure("a"));
  await it.refresh();
  await it.refresh();
  expect(it.checked()).toEqual(["a"]);
  it.results.set("a", untrusted("a is bad"));
  finish();
  await it.clock.advance(0);
  expect(it.checked()).toEqual(["a"]);
  expect(it.events()[0]).toBe("validation: a [untrusted] a is bad");
});

test("runs no more checks at once than allowed", async () => {
  let [running, most] = [0, 0];
  const check = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise<void>(resolve => setImmediate(resolve));
    running -= 1;
  };
  const hosts = Array.from({ length: 20 }, (_, index) => `etcd-${index}`);
  const discovery = validated(staticEndpoints(secure(...hosts)), check, { concurrency: 3 });
  for await (const set of discovery.watch({ signal })) {
    expect(set.length).toBe(20);
    break;
  }
  expect(most).toBe(3);
});

test("ends its checks and timers when it is aborted", async () => {
  const it = await watchValidated();
  it.results.set("slow", "never").set("down", down("refused"));
  await it.offer(secure("a", "slow", "down"));
  await it.abort();
  expect(it.sets()).toEqual(["end"]);
  expect(it.clock.pending).toBe(0);
});

test("ends with its source when there is nothing to check, and throws what the source throws", async () => {
  const plain: Endpoint = { host: "a", port: 1, priority: 0, weight: 0 };
  const sets = [];
  for await (const set of validated(staticEndpoints([plain]), pass).watch({ signal })) sets.push(set);
  expect(sets).toEqual([[plain]]);

  const invalid = new GatewayError("invalid-option", "no such file");
  const broken: Discovery = {
    async *watch() {
      yield secure("a");
      throw invalid;
    },
  };
  const watching = async (): Promise<void> => {
    for await (const _ of validated(broken, pass).watch({ signal }));
  };
  await expect(watching()).rejects.toBe(invalid);
});

test.each([
  [{ minRefreshMs: 0 }, /0 ms, must be more than 0/],
  [{ minRefreshMs: 2, maxRefreshMs: 1 }, /not more than the longest, 1 ms/],
  [{ concurrency: 0 }, /concurrency 0 is not 1 or more/],
])("rejects %j", (options, detail) => {
  const make = () => validated(staticEndpoints(secure("a")), pass, options);
  expect(make).toThrow(
    expect.objectContaining({ code: "invalid-option", detail: expect.stringMatching(detail) }),
  );
});

test("changes of the source leak no memory", async () => {
  const checked = validated(changingSource, async () => {}, { demands: () => false });
  expect(await bytesPerChange(checked)).toBeLessThan(50);
});
