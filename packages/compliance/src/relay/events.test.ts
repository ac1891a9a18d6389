import { testThatFaultsAreCaught } from "../../test/relays.js";

testThatFaultsAreCaught({
  "ends twice": [
    "tells of each end exactly once, after all else",
    /ended\(\) is the last event, exactly once.*ended\(\w+ 0\/0\), ended\(\w+ 0\/0\)/s,
  ],
  "ends at once": [
    "calls no event from within what is called for a client",
    /Events are never called from within a method of the RelayClient.*ended\(\) within kill\(\)/s,
  ],
});
