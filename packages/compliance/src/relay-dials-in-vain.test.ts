import { testThatFaultsAreCaught } from "../test/relays.js";

const cancels = "gives up a dial that gets no answer, and dials again for the same client";

testThatFaultsAreCaught({
  "tells what was cancelled": [cancels, /dialFailed\(\) in place of \w+\(\)/],
  "goes on with what was cancelled": [
    "gives up a dial whenever it is told to, and loses nothing unseen",
    /did not get 'early \d+'|in place of|waits for/,
  ],
  "loses bytes to what was cancelled": [
    "gives up a dial whenever it is told to, and loses nothing unseen",
    /did not get 'early \d+'|waits for 'early \d+'|of a dial that was given up/,
  ],
  "dials for who is gone": [
    "ends a client that was reset shortly before its dial",
    /ended\(client-failed.*\), connected\(\)/,
  ],
  "is blind while it dials": [
    "ends a client that is reset while it is dialled for",
    /ended\(\) is missing \(so far: dial\(\)\)/,
  ],
});
