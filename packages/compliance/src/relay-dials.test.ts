import { testThatFaultsAreCaught } from "../test/relays.js";

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
