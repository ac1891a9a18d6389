import { testThatFaultsAreCaught } from "../../test/relays.js";

testThatFaultsAreCaught({
  "ends twice": [
    "reports each end exactly once, after all other events",
    /ended\(\) is the last event, exactly once.*ended\(\w+ 0\/0\), ended\(\w+ 0\/0\)/s,
  ],
  "ends at once": [
    "reports no event from within a method of the client",
    /Events are never called from within a method of the RelayClient.*ended\(\) within abort\(\)/s,
  ],
});
