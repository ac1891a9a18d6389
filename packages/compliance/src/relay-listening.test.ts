import { testThatFaultsAreCaught } from "../test/relays.js";

testThatFaultsAreCaught({
  "has no name": ["has a name", /A relay has a name, for logs.\n {2}seen: ''/],
  "listens everywhere": [
    "listens on a free port of an IPv4 address",
    /seen: 0.0.0.0:\d+ in place of 127.0.0.1/,
  ],
  "tells port 0": ["listens on a free port of an IPv4 address", /seen: port 0/],
  "throws what Node throws": [
    "throws address-in-use for a port that is in use",
    /threw Error: listen EADDRINUSE.* in place of a GatewayError address-in-use/,
  ],
  "keeps listeners that failed": [
    "keeps no descriptor of a listener that could not be opened",
    /\d+ descriptors are open, where it was \d+ before/,
  ],
  "opens before it resolves": ["tells of no client before listen() has resolved", /seen: onClient\(\) was/],
});
