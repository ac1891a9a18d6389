import { testThatFaultsAreCaught } from "../../test/relays.js";

testThatFaultsAreCaught({
  "crosses connections": [
    "serves many connections at once, each with its own bytes",
    /the client .* 'connection \d+'/,
  ],
  "leaks descriptors": [
    "keeps no descriptor of connections that have ended, however they ended",
    /\d+ descriptors are open, \d+ were before/,
  ],
});
