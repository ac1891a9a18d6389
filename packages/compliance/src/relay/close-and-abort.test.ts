import { testThatFaultsAreCaught } from "../../test/relays.js";

testThatFaultsAreCaught({
  "closes with an end": [
    "closes a client that has sent bytes with a reset",
    /the client got 0 bytes and saw an end, in place of a reset/,
  ],
});

testThatFaultsAreCaught({
  "aborts with an end": [
    "aborts a connection",
    /the (client got 0|backend got 8) bytes and saw an end, in place of a reset/,
  ],
  "aborts the client only": ["aborts a connection", /the backend got 8 bytes and is open waits for a reset/],
  "aborts what has ended": ["does nothing when a client that has ended is aborted", /abort\(\), ended\(/],
  "never ends": ["aborts a connection", /ended\(\) is missing|waits for a reset/],
});
