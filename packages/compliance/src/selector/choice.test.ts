import { counting, fail, selector, testThatAreCaught } from "../../test/selectors.js";

const nothing = "returns undefined when there are no candidates";
const something = "returns a candidate whenever there is one";
const offered = "returns one of the very objects that it was given, no copy and no other candidate";
const calm = "never throws, whatever candidates it is given";
const atOnce = "returns a candidate and not a promise of one";

const invented = { endpoint: { host: "203.0.113.1", port: 1, priority: 0, weight: 0 }, connections: 0 };

testThatAreCaught({
  "returns a copy": {
    make: () => selector(([one]) => one && { ...one }),
    fails: offered,
    message: /very objects.*another object for 10\.0\.0\.0:2379/s,
  },
  "returns an endpoint in place of its candidate": {
    make: () => selector(([one]) => one?.endpoint),
    fails: offered,
    message: /very objects.*host: '10\.0\.0\.0'/s,
  },
  "returns an index": {
    make: () => selector(({ length }) => (length ? 0 : undefined)),
    fails: offered,
    message: /it returned 0/,
  },
  "returns a candidate that was not offered": {
    make: () => selector(({ length }) => (length ? invented : undefined)),
    fails: offered,
    message: /203\.0\.113\.1:1, which was not offered/,
  },
  "returns a candidate when there are none": {
    make: () => selector(([one]) => one ?? invented),
    fails: nothing,
    message: /returns undefined when.*given no candidates, it returned 203\.0\.113\.1:1/s,
  },
  "returns null when there are no candidates": {
    make: () => selector(([one]) => one ?? null),
    fails: nothing,
    message: /it returned null/,
  },
  "throws when there are no candidates": {
    make: () => selector(([one]) => one ?? fail("empty")),
    fails: nothing,
    message: /given no candidates, it threw TypeError: empty/,
  },
  "throws at its second call": {
    make: () => counting(([one], call) => (call === 2 ? fail("boom") : one)),
    fails: calm,
    message: /never throws.*it threw TypeError: boom/s,
  },
  "throws at some calls": {
    make: () => counting(([one], call) => (call % 97 === 0 ? fail("bad luck") : one)),
    fails: calm,
    message: /bad luck/,
  },
  "throws for IPv6": {
    make: () => selector(([one]) => (one?.endpoint.host.includes(":") ? fail("v6") : one)),
    fails: calm,
    message: /IPv6 and host names, given \[::1\]:2379/,
  },
  "throws something that is no error": {
    make: () =>
      selector(() => {
        throw null;
      }),
    fails: calm,
    message: /it threw null/,
  },
  "is async": {
    make: () => selector(async candidates => candidates[0]),
    fails: atOnce,
    message: /synchronous.*it returned a promise/s,
  },
  "is async and rejects": {
    make: () => selector(async () => fail("later")),
    fails: atOnce,
    message: /synchronous/,
  },
  "returns undefined though there are candidates": {
    make: () => selector(() => undefined),
    fails: something,
    message: /undefined only if there are no candidates.*given 10\.0\.0\.0:2379, it returned undefined/s,
  },
  "uses an index that is one too high": {
    make: () => counting((candidates, call) => candidates[call % (candidates.length + 1)]),
    fails: something,
    message: /at call 1, .*it returned undefined/,
  },
  "returns undefined for more than 5,000 candidates": {
    make: () => selector(candidates => (candidates.length > 5_000 ? undefined : candidates[0])),
    fails: "picks among 10,000 candidates",
    message: /10000 in all/,
  },
  "returns undefined after 9,000 calls": {
    make: () => counting(([one], call) => (call > 9_000 ? undefined : one)),
    fails: "keeps its contract for 10,000 calls with ever different candidates",
    message: /at call 90\d\d/,
  },
});
