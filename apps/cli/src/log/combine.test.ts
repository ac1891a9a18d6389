import { GatewayError } from "@gw/interface";
import { expect, onTestFinished, test } from "vitest";
import { combineObservers, type GatewayObserver } from "./combine.js";

const limitReached = { limit: 3 };

test("each event goes to the observers that have a method for it, in their order", () => {
  const calls: string[] = [];
  const observer = combineObservers(
    { limitReached: ({ limit }) => void calls.push(`a ${limit}`) },
    {},
    {
      limitReached: ({ limit }) => void calls.push(`b ${limit}`),
      acceptFailed: ({ error }) => void calls.push(`b ${error.detail}`),
    },
  );
  observer.limitReached?.(limitReached);
  observer.acceptFailed?.({ error: new GatewayError("unreachable", "broken") });
  expect(calls).toEqual(["a 3", "b 3", "b broken"]);
  expect(observer.checked).toBeUndefined();
  expect(observer.closed).toBeUndefined();
});

test("methods of classes keep their object", () => {
  class Counter {
    count = 0;
    limitReached({ limit }: { readonly limit: number }): void {
      this.count += limit;
    }
  }
  const [one, two] = [new Counter(), new Counter()];
  combineObservers(one, {}).limitReached?.(limitReached);
  combineObservers(one, two).limitReached?.(limitReached);
  expect([one.count, two.count]).toEqual([6, 3]);
});

test("what one throws is a warning, and the others are called", async () => {
  const warnings: string[] = [];
  const warned = new Promise<void>(resolve => {
    const listener = ({ message }: Error): void => {
      if (warnings.push(message) === 2) resolve();
    };
    process.on("warning", listener);
    onTestFinished(() => void process.off("warning", listener));
  });
  const called: number[] = [];
  const throws: GatewayObserver = {
    limitReached() {
      throw new Error("at once");
    },
  };
  const rejects: GatewayObserver = {
    limitReached: (async () => Promise.reject(new Error("later"))) as never,
  };
  combineObservers(throws, rejects, { limitReached: ({ limit }) => void called.push(limit) }).limitReached?.(
    limitReached,
  );
  expect(called).toEqual([3]);
  await warned;
  expect(warnings).toEqual([
    "gw: the observer's limitReached threw: at once",
    "gw: the observer's limitReached threw: later",
  ]);
});

test.each<[boolean, string, readonly GatewayObserver[]]>([
  [true, "none has an event of clients", [{}, { connected() {} }]],
  [true, "all that have one ignore clients", [{ ignoresClients: true, closed() {} }, { connected() {} }]],
  [false, "one reads clients", [{ ignoresClients: true, closed() {} }, { unserved() {} }]],
  [false, "one reads those that are refused", [{ ignoresClients: true, closed() {} }, { limitReached() {} }]],
  [false, "one that is told of accepted clients reads them", [{ accepted() {} }]],
])("ignoresClients is %s where %s", (ignores, _, observers) => {
  expect(combineObservers(...observers).ignoresClients).toBe(ignores);
});
