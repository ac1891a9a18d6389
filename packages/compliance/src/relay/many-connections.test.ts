import { testThatFaultsAreCaught } from "../../test/relays.js";

testThatFaultsAreCaught({
  "crosses connections": [
    "serves many connections at once, each with its own bytes",
    /the client .* 'connection \d+'/,
  ],
  "keeps descriptors": [
    "keeps no descriptor of connections that have ended, whatever ended them",
    /\d+ descriptors are open, where it was \d+ before/,
  ],
});
