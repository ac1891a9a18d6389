import type { Discovery } from "@gw/interface";
import {
  aborted,
  changing,
  type EndpointSet,
  fixed,
  follow,
  initial,
  type Source,
  testThatAreCaught,
} from "../../test/discoveries.js";

const before = "ends, without throwing, when aborted before it began";
const asked = "ends, without throwing, when aborted before a set was asked for";
const first = "ends, without throwing, when aborted while the first set is waited for";
const waiting = "ends, without throwing, when aborted while a change is waited for";
const between = "ends, without throwing, when aborted between two sets, even twice";
const left = "ends when its consumer leaves the loop";
const alone = "watches independently: the end of one is not the end of another";

type Iterate = (good: AsyncGenerator<EndpointSet>) => Partial<AsyncIterator<EndpointSet>>;

/** A correct watch of which parts are replaced. */
function tampered(replace: Iterate) {
  return (source: Source, signal: AbortSignal): AsyncIterable<EndpointSet> => ({
    [Symbol.asyncIterator]() {
      const good = follow(source, signal);
      return { next: () => good.next(), return: () => good.return(undefined), ...replace(good) };
    },
  });
}

/** One iterator for all watches. */
function sharedWatch(): Discovery {
  const never = new AbortController();
  const only = follow({ set: initial, changed: () => new Promise(() => {}) }, never.signal);
  return { watch: () => only };
}

/** The end of any watch ends all. */
function sharedEnd(): Discovery {
  const all = new AbortController();
  return {
    watch({ signal }) {
      signal.addEventListener("abort", () => all.abort());
      return follow({ set: initial, changed: () => new Promise(() => {}) }, all.signal);
    },
  };
}

testThatAreCaught({
  "does not notice a signal that is aborted already": {
    options: fixed(async function* (signal) {
      yield initial;
      await new Promise(resolve => signal.addEventListener("abort", resolve));
    }),
    fails: before,
    message: /next\(\) took over 50 ms/,
  },
  "throws when aborted beforehand": {
    options: fixed(async function* (signal) {
      signal.throwIfAborted();
      yield initial;
    }),
    fails: asked,
    message: /never throws.*AbortError/s,
  },
  "throws when aborted during its first look-up": {
    options: fixed(async function* (signal) {
      await Promise.resolve();
      signal.throwIfAborted();
      yield initial;
    }),
    fails: first,
    message: /never throws.*AbortError/s,
  },
  "throws when aborted while it waits": {
    options: changing(async function* (source, signal) {
      for await (const set of follow(source, signal)) yield set;
      signal.throwIfAborted();
    }),
    fails: waiting,
    message: /never throws.*AbortError/s,
  },
  "ignores its signal": {
    options: changing(source => follow(source, new AbortController().signal)),
    fails: waiting,
    message: /next\(\) took over 50 ms/,
  },
  "continues to yield after an abort": {
    options: fixed(async function* () {
      while (true) yield initial;
    }),
    fails: between,
    message: /ends soon after its signal was aborted.*it continued to yield sets/s,
  },
  "yields after its end": {
    options: changing(
      tampered(good => {
        let ended = false;
        return {
          async next() {
            if (ended) return { value: initial };
            const result = await good.next();
            ended = result.done === true;
            return result;
          },
        };
      }),
    ),
    fails: between,
    message: /it ended and then yielded a set/,
  },
  "has no return()": {
    options: changing(tampered(() => ({ return: undefined as never }))),
    fails: left,
    message: /has a return\(\).*it has none/s,
  },
  "ignores return()": {
    options: fixed(() => ({
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ value: initial }),
        return: async () => ({ value: undefined, done: true }),
      }),
    })),
    fails: left,
    message: /it yielded a set after return\(\)/,
  },
  "never finishes return()": {
    options: fixed(async function* (signal) {
      try {
        yield initial;
        await aborted(signal);
      } finally {
        await aborted(signal);
      }
    }),
    fails: left,
    message: /return\(\) took over 50 ms/,
  },
  "throws in return()": {
    options: fixed(async function* () {
      try {
        yield initial;
      } finally {
        JSON.parse("no JSON");
      }
    }),
    fails: left,
    message: /return\(\) threw SyntaxError/,
  },
  "has one iterator for all watches": {
    options: { make: sharedWatch },
    fails: alone,
    message: /took over 50 ms|the iteration ended/,
  },
  "ends all watches with one": {
    options: { make: sharedEnd },
    fails: alone,
    message: /So does one that begins after others have ended.*the iteration ended/s,
  },
});
