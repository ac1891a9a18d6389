import {
  aborted,
  changing,
  type EndpointSet,
  endpoint,
  fixed,
  follow,
  initial,
  setOf,
  testThatAreCaught,
} from "../../test/discoveries.js";
import type { DiscoveryComplianceOptions } from "./discovery-compliance.js";

const whole = "yields the whole set first";
const filled = "never yields an empty set";
const once = "yields sets that hold each endpoint once";
const frozen = "yields frozen sets of frozen endpoints";
const changed = "yields the set again when it changed while next() was pending, and not before";

/** A discovery that yields `set`, whatever it is. */
function yielding(set: unknown): DiscoveryComplianceOptions {
  return fixed(async function* () {
    yield set as EndpointSet;
  });
}

let watches = 0;

testThatAreCaught({
  "ends without a set": {
    options: fixed(async function* () {
      yield* [];
    }),
    fails: whole,
    message: /whole set of endpoints first.*the iteration ended/s,
  },
  "never yields": {
    options: fixed(async function* (signal) {
      await aborted(signal);
      yield initial;
    }),
    fails: whole,
    message: /next\(\) took over 50 ms/,
  },
  "throws before its first set": {
    options: fixed(async function* () {
      yield await Promise.reject(new TypeError("no servers"));
    }),
    fails: whole,
    message: /never throws.*next\(\) threw TypeError: no servers/s,
  },
  "throws in watch()": {
    options: fixed(() => {
      throw new TypeError("no servers");
    }),
    fails: whole,
    message: /watch\(\) threw TypeError: no servers/,
  },
  "yields endpoints as they are found": {
    options: {
      ...fixed(async function* () {
        yield initial.slice(0, 1);
        yield initial;
      }),
      endpoints: initial,
    },
    fails: whole,
    message: /a:2379 in place of a:2379, b:2379/,
  },
  "yields something else to each watch": {
    options: fixed(async function* () {
      watches += 1;
      yield setOf(endpoint(`watch-${watches}`));
    }),
    fails: whole,
    message: /one watch began with watch-\d+:2379 .*, the next with watch-/,
  },
  "yields an empty set": { options: yielding([]), fails: filled, message: /never yields an empty set/ },
  "yields an empty set in place of a change": {
    options: changing(async function* (source, signal) {
      for await (const set of follow(source, signal)) yield set === initial ? set : setOf();
    }),
    fails: filled,
    message: /never yields an empty set/,
  },
  "yields an endpoint twice": {
    options: yielding(setOf(endpoint("a"), endpoint("b"), endpoint("a", { weight: 1 }))),
    fails: once,
    message: /a:2379 twice in a:2379, b:2379, a:2379/,
  },
  "yields an array that is not frozen": {
    options: yielding([endpoint("a")]),
    fails: frozen,
    message: /array/,
  },
  "yields endpoints that are not frozen": {
    options: yielding(setOf(endpoint("a"), { ...endpoint("b") })),
    fails: frozen,
    message: /b:2379 is not frozen/,
  },
  "yields the same set twice": {
    options: changing(async function* (source, signal) {
      yield source.set;
      yield* follow(source, signal);
    }),
    fails: changed,
    message: /and only then.*the same set twice in a row/s,
  },
  "yields the same set twice, in another order": {
    options: changing(async function* (source, signal) {
      yield setOf(...source.set.toReversed());
      yield* follow(source, signal);
    }),
    fails: changed,
    message: /the same set twice in a row/,
  },
  "misses changes": {
    options: changing(async function* (source, signal) {
      yield source.set;
      await aborted(signal);
    }),
    fails: changed,
    message: /next\(\) took over 50 ms/,
  },
  "ends before a change": {
    options: changing(async function* (source) {
      yield source.set;
    }),
    fails: changed,
    message: /again when it changed.*the iteration ended/s,
  },
  "notices changes only while next() is pending": {
    options: changing(async function* (source, signal) {
      while (!signal.aborted) {
        yield source.set;
        await Promise.race([source.changed(), aborted(signal)]);
      }
    }),
    fails: "yields the set again when it changed while no next() was pending",
    message: /next\(\) took over 50 ms/,
  },
});

const misshapen: { readonly [name: string]: unknown } = {
  "an empty host": endpoint(""),
  "a host in brackets": endpoint("[::1]"),
  "a host with a space": endpoint("a b"),
  "a host that is no string": endpoint(1 as unknown as string),
  "port 0": endpoint("a", { port: 0 }),
  "port 65536": endpoint("a", { port: 65_536 }),
  "a port that is text": endpoint("a", { port: "2379" as unknown as number }),
  "half a port": endpoint("a", { port: 2379.5 }),
  "a negative priority": endpoint("a", { priority: -1 }),
  "no priority": { host: "a", port: 2379, weight: 0 },
  "weight 65536": endpoint("a", { weight: 65_536 }),
  "a weight that is no number": endpoint("a", { weight: Number.NaN }),
  "secure in words": endpoint("a", { secure: "yes" as unknown as boolean }),
  "secure undefined": { ...endpoint("a"), secure: undefined },
  "null in place of an endpoint": null,
};

testThatAreCaught(
  Object.fromEntries(
    Object.entries(misshapen).map(([name, one]) => [
      `yields ${name}`,
      {
        options: yielding(Object.freeze([endpoint("good"), one])),
        fails: "yields endpoints of a valid shape",
        message: /An endpoint is \{ host, port, priority, weight, secure\? \}.*seen: .* in /s,
      },
    ]),
  ),
);

testThatAreCaught({
  "yields a Set in place of an array": {
    options: yielding(new Set(initial)),
    fails: "yields endpoints of a valid shape",
    message: /A set of endpoints is an array.*Set\(2\)/s,
  },
});
