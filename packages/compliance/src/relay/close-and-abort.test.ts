import { testThatFaultsAreCaught } from "../../test/relays.js";

testThatFaultsAreCaught({
  "closes with an end": [
    "closes a client that has sent bytes with a reset",
    /the client got 0 bytes and saw an end, in place of a reset/,
  ],
});

testThatFaultsAreCaught({
  "kills with an end": [
    "kills a connection",
    /the (client got 0|backend got 8) bytes and saw an end, in place of a reset/,
  ],
  "kills the client only": ["kills a connection", /the backend got 8 bytes and is open waits for a reset/],
  "kills what has ended": ["does nothing when it is told to kill what has ended", /kill\(\), ended\(/],
  "never ends": ["kills a connection", /ended\(\) is missing|waits for a reset/],
});
