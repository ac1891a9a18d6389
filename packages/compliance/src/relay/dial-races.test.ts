import { testThatFaultsAreCaught } from "../../test/relays.js";

const beside = "dials the next address beside one that does not answer, and not before its time";
const cancels = "gives up all addresses of a dial, and dials again for the same client";

testThatFaultsAreCaught({
  "dials the first address only": [beside, /connected\(\) is missing/],
  "dials one address after the other": [beside, /connected\(\) is missing/],
  "dials all addresses at once": [beside, /the second address was dialled after \d/],
  "waits after an address that is refused": [
    "dials the next address at once where one is refused",
    /connected\(\) is missing|it was connected after \d+/,
  ],
  "tells the first address": [beside, /connected\(\) with 127.0.0.1:\d+, in place of 127.0.0.1:\d+/],
  "dials the second address as well": [
    "does not dial the second address where the first accepts",
    /20 dials to the second address/,
  ],
  "keeps those that lose": ["closes what loses", /\d+ descriptors are open, where it was \d+ before/],
  "tells what was cancelled": [cancels, /dialFailed\(\) in place of connected\(\)/],
  "fails with the first address": [
    "tells that a dial failed when the last of its addresses has",
    /was given up after|in place of|with refused|refused/,
  ],
  "is blind while it dials": [
    "ends a client that is reset while several addresses are dialled for it",
    /ended\(\) is missing \(so far: dial\(\)\)/,
  ],
  "dials any number of addresses": [
    "leaves out what is behind the sixteenth address",
    /connected\(\) in place of dialFailed\(\)/,
  ],
});
