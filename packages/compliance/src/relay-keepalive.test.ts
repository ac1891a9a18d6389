import { testThatFaultsAreCaught } from "../test/relays.js";

testThatFaultsAreCaught({
  "sends no keepalive": [
    "lets the system probe both sides of a connection without traffic",
    /towards the client no timer/,
  ],
  "always sends keepalive": [
    "lets the system probe nobody if it is not asked to",
    /towards the client timer 2/,
  ],
});
