import { discoveryCompliance } from "@gw/compliance";
import { type Discovery, type Endpoint, GatewayError } from "@gw/interface";
import { queue } from "@gw/testing";
import { expect, test } from "vitest";
import { bytesPerChange, changingSource, quietSource } from "../test/memory-leak.js";
import { merge, parseEndpoint, staticEndpoints } from "./index.js";

const [a, b, c] = ["a", "b", "c"].map(parseEndpoint) as [Endpoint, Endpoint, Endpoint];

/** A source that yields what the test puts. */
function fed(): Discovery & {
  put(set: readonly Endpoint[] | GatewayError): void;
  readonly ended: Promise<unknown>;
} {
  const sets = queue<readonly Endpoint[] | GatewayError | "stop">();
  const ended = queue<unknown>();
  return {
    put: sets.put,
    get ended() {
      return ended.take();
    },
    async *watch({ signal }) {
      signal.addEventListener("abort", () => sets.put("stop"));
      try {
        for (;;) {
          const set = await sets.take();
          if (set === "stop") return;
          if (set instanceof GatewayError) throw set;
          yield set;
        }
      } finally {
        ended.put(true);
      }
    },
  };
}

test("the union is yielded as soon as one source is known, and whenever one changes", async () => {
  const [one, other] = [fed(), fed()];
  const sets = merge([one, other]).watch({ signal: new AbortController().signal })[Symbol.asyncIterator]();
  one.put([a]);
  expect((await sets.next()).value).toEqual([a]);
  other.put([b]);
  expect((await sets.next()).value).toEqual([a, b]);
  one.put([c]);
  expect((await sets.next()).value).toEqual([c, b]);
  await sets.return?.();
});

test("of an endpoint in two sources, that of the first counts", async () => {
  const [one, other] = [fed(), fed()];
  const sets = merge([one, other]).watch({ signal: new AbortController().signal })[Symbol.asyncIterator]();
  other.put([{ ...a, weight: 2 }, b]);
  await sets.next();
  one.put([{ ...a, weight: 1 }]);
  expect((await sets.next()).value).toEqual([{ ...a, weight: 1 }, b]);
  await sets.return?.();
});

test("it ends when all sources have ended, and when it is aborted", async () => {
  const sets = [];
  for await (const set of merge([staticEndpoints([a]), staticEndpoints([b])]).watch({
    signal: new AbortController().signal,
  }))
    sets.push(set);
  expect(sets.at(-1)).toEqual([a, b]);
  const source = fed();
  const stop = new AbortController();
  const next = merge([source]).watch({ signal: stop.signal })[Symbol.asyncIterator]().next();
  stop.abort();
  expect(await next).toMatchObject({ done: true });
  await source.ended;
});

test("what a source throws is reported, ends no other source, and is retried on refresh", async () => {
  const [one, other] = [fed(), fed()];
  const events = queue<string>();
  let refresh = (): void => {};
  const watched = merge([one, other], {
    observer: { discoveryFailed: ({ error }) => events.put(error.detail) },
  });
  const onRefresh = (listener: () => void) => {
    refresh = listener;
    return () => {};
  };
  const stop = new AbortController();
  const sets = watched.watch({ signal: stop.signal, onRefresh })[Symbol.asyncIterator]();
  const first = sets.next();
  one.put(new GatewayError("invalid-option", "nonsense"));
  expect(await events.take()).toBe("nonsense");
  other.put([b]);
  expect((await first).value).toEqual([b]);
  refresh();
  one.put([a]);
  expect((await sets.next()).value).toEqual([a, b]);
  const last = sets.next();
  stop.abort();
  expect(await last).toMatchObject({ done: true });
});

for (const { name, run } of discoveryCompliance({
  make: () => merge([staticEndpoints([a, b]), staticEndpoints([b, c])]),
}))
  test(name, run);

test("changes of one source leak no memory while another is quiet", async () => {
  // A reaction on a promise takes several hundred bytes.
  expect(await bytesPerChange(merge([changingSource, quietSource]))).toBeLessThan(50);
});
