import { testThatFaultsAreCaught } from "../../test/relays.js";

testThatFaultsAreCaught({
  "loses early bytes": ["passes on what a client sent before its dial", /did not get 'early, late'/],
  "loses an early end": [
    "passes on what a client sent and its end of output, both before its dial",
    /the backend got 5 bytes and is open waits for an end of input, and nothing happened for 1000 ms/,
  ],
  overtakes: ["keeps the order of many small messages each way", /did not get '(question|answer) /],
  "counts at the end only": [
    "counts the bytes of each side while it is open",
    /0 and 0 when 1 and 0 had arrived/,
  ],
  miscounts: ["reports at the end how many bytes it has read from each side", /1 and 1 of 0 and 0/],
  "forgets its counts": [
    "reports at the end how many bytes it has read from each side",
    /ended\(\) with finished 0\/1, but the RelayClient has 0\/0/,
  ],
});
