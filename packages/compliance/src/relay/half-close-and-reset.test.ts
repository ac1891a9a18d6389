import { testThatFaultsAreCaught } from "../../test/relays.js";

testThatFaultsAreCaught({
  "ends both directions at once": [
    "a client that has ended its output still gets the answer",
    /the client .* saw an end/,
  ],
  "ends before pending bytes": [
    "an end of output comes after all that was sent before it, however slowly that is read",
    /(did not get|waits for) 16777216 bytes|waits for an end of input/,
  ],
});

testThatFaultsAreCaught({
  "passes resets on as ends": [
    "a backend's reset reaches the client as a reset",
    /the client got 7 bytes and saw an end, in place of a reset/,
  ],
  "does not pass on resets": [
    "a client's reset reaches the backend of a connection without a byte",
    /the backend got 0 bytes and is open waits for a reset/,
  ],
  "takes resets for ends": [
    "a backend's reset right behind its last bytes is a reset to the client",
    /the client got 1 bytes, .* and saw an end, in place of a reset/,
  ],
  "reports the other side": [
    "a client's reset reaches the backend as a reset",
    /ended\(\) with backend-failed .* in place of client-failed/,
  ],
  "reports no error": [
    "a client's reset reaches the backend as a reset",
    /ended\(\) with undefined, in place of a GatewayError reset/,
  ],
});
