import { testThatFaultsAreCaught } from "../../test/relays.js";

testThatFaultsAreCaught({
  "buffers without bound": [
    "holds back a backend whose client does not read, and loses nothing",
    /\d{8} bytes were read that had not arrived/,
  ],
  "reads early without bound": [
    "holds back a client that is not connected yet, and loses nothing",
    /\d{8} bytes were read from a client without a backend/,
  ],
  "drops pending bytes": [
    "mixes up no bytes of many connections whose readers are slow",
    /byte \d+ that the \w+ gets is wrong/,
  ],
  "shares a buffer": [
    "mixes up no bytes of many connections whose readers are slow",
    /byte \d+ that the \w+ gets is wrong/,
  ],
});
