import { testThatFaultsAreCaught } from "../../test/relays.js";

testThatFaultsAreCaught({
  "ends after a failed dial": [
    "tells that a dial was refused, and dials again for the same client",
    /ended\(\) in place of dialFailed\(\)/,
  ],
  "dials without a timeout": [
    "tells that a dial got no answer in time, and dials again for the same client",
    /dialFailed\(\) is missing \(so far: dial\(\)\), and nothing happened for 1000 ms/,
  ],
  "fails within dial()": [
    "tells that an address cannot be reached, though the system says so at once",
    /dialFailed\(\) within dial\(\)/,
  ],
});

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
