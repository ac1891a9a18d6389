import { testThatFaultsAreCaught } from "../../test/relays.js";

testThatFaultsAreCaught({
  "ends after a failed dial": [
    "reports that a dial was refused, and dials again for the same client",
    /ended\(\) in place of dialFailed\(\)/,
  ],
  "dials without a timeout": [
    "reports that a dial timed out, and dials again for the same client",
    /dialFailed\(\) is missing \(so far: dial\(\)\), and nothing happened for 1000 ms/,
  ],
  "fails within dial()": [
    "reports an unreachable address after dial() has returned",
    /dialFailed\(\) within dial\(\)/,
  ],
});

const cancels = "cancels a dial that gets no answer, and dials again for the same client";

testThatFaultsAreCaught({
  "reports cancelled dials": [cancels, /dialFailed\(\) in place of \w+\(\)/],
  "continues cancelled dials": [
    "cancels dials at any time, and resets the client where bytes were lost",
    /did not get 'early \d+'|in place of|waits for/,
  ],
  "loses bytes to cancelled dials": [
    "cancels dials at any time, and resets the client where bytes were lost",
    /did not get 'early \d+'|waits for 'early \d+'|of a cancelled dial/,
  ],
  "dials for clients that are gone": [
    "ends a client that was reset shortly before its dial",
    /ended\(client-failed.*\), connected\(\)/,
  ],
  "does not watch clients while it dials": [
    "ends a client that is reset while it is dialled for",
    /ended\(\) is missing \(so far: dial\(\)\)/,
  ],
});
