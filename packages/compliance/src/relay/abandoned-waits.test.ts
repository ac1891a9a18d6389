import { testThatFaultsAreCaught } from "../../test/relays.js";

const gaveUp = "reports for how long a client had been waiting when it gave up";
const none = "reports no wait of a client that did not give up";

testThatFaultsAreCaught(
  {
    "does not report waits that were given up": [gaveUp, /waitedMs is undefined for a client that was reset/],
    "counts waits to the end": [gaveUp, /waitedMs is [\d.]+ for a client that ended its output/],
    "counts waits of answered clients": [none, /waitedMs is [\d.]+ for a client that was answered/],
    "takes half-closed clients for gone": [none, /waitedMs is [\d.]+ for a client that took an answer/],
    "counts waits that the backend ended": [none, /waitedMs is [\d.]+ for .* has a backend that ended first/],
    "counts waits that it ended itself": [none, /waitedMs is [\d.]+ for a client that was aborted/],
  },
  { limitMs: 1_200 },
);
