import { testThatFaultsAreCaught } from "../test/relays.js";

testThatFaultsAreCaught({
  "tells its own address": [
    "tells a client's address",
    /onClient\(\) is missing for port \d+ .*called for 1 clients/,
  ],
  "goes on accepting": [
    "accepts no more clients once its listener is closed, and keeps those that it has",
    /in place of a reset|is open waits for a reset/,
  ],
  "closes clients with the listener": [
    "accepts no more clients once its listener is closed, and keeps those that it has",
    /ended\(\) in place of connected\(\)/,
  ],
  "closes once only": [
    "does nothing when its listener is closed a second time",
    /Error: it is closed.* was thrown/s,
  ],
  "ends the refused": [
    "resets the clients that are refused, and no others",
    /the client got 0 bytes and saw an end, in place of a reset/,
  ],
});
