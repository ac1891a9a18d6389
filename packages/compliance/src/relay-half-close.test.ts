import { testThatFaultsAreCaught } from "../test/relays.js";

testThatFaultsAreCaught({
  "ends both directions at once": [
    "a client that has ended its output still gets the answer",
    /the client .* saw an end/,
  ],
  "ends before what waits": [
    "an end of output comes after all that was sent before it, however slowly that is read",
    /(did not get|waits for) 16777216 bytes|waits for an end of input/,
  ],
});
