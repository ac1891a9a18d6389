import { testThatFaultsAreCaught } from "../test/relays.js";

testThatFaultsAreCaught({
  "closes with an end": [
    "closes a client that has sent bytes with a reset",
    /the client got 0 bytes and saw an end, in place of a reset/,
  ],
});
