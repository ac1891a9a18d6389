import { testThatFaultsAreCaught } from "../../test/relays.js";

const inParallel = "dials the next address in parallel with one that does not answer, after the delay";
const cancels = "cancels all addresses of a dial, and dials again for the same client";

testThatFaultsAreCaught({
  "dials the first address only": [inParallel, /connected\(\) is missing/],
  "dials one address after the other": [inParallel, /connected\(\) is missing/],
  "dials all addresses at once": [inParallel, /the second address was dialled after \d/],
  "waits after a refused address": [
    "dials the next address at once after a refusal",
    /connected\(\) is missing|it was connected after \d+/,
  ],
  "reports the first address": [inParallel, /connected\(\) with 127.0.0.1:\d+, in place of 127.0.0.1:\d+/],
  "dials the second address as well": [
    "does not dial the second address where the first accepts",
    /20 dials to the second address/,
  ],
  "keeps connections that lose the race": [
    "closes the connections that lose the race",
    /\d+ descriptors are open, \d+ were before/,
  ],
  "reports cancelled dials": [cancels, /dialFailed\(\) in place of connected\(\)/],
  "fails with the first address": [
    "reports that a dial failed when the last of its addresses has",
    /timed out after|in place of|with refused|refused/,
  ],
  "does not watch clients while it dials": [
    "ends a client that is reset while several addresses are dialled for it",
    /ended\(\) is missing \(so far: dial\(\)\)/,
  ],
  "dials any number of addresses": [
    "leaves out addresses after the sixteenth",
    /connected\(\) in place of dialFailed\(\)/,
  ],
});
