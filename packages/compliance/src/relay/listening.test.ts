import { testThatFaultsAreCaught } from "../../test/relays.js";

testThatFaultsAreCaught({
  "has no name": ["has a name", /A relay has a name, for logs.\n {2}seen: ''/],
  "listens everywhere": [
    "listens on a free port of an IPv4 address",
    /seen: 0.0.0.0:\d+ in place of 127.0.0.1/,
  ],
  "reports port 0": ["listens on a free port of an IPv4 address", /seen: port 0/],
  "throws what Node throws": [
    "throws address-in-use for a port that is in use",
    /threw Error: listen EADDRINUSE.* in place of a GatewayError address-in-use/,
  ],
  "leaks listeners that failed": [
    "keeps no descriptor of a listener that could not be opened",
    /\d+ descriptors are open, \d+ were before/,
  ],
  "accepts before listen() resolves": [
    "reports no client before listen() has resolved",
    /seen: onClient\(\) was/,
  ],
});

testThatFaultsAreCaught({
  "reports its own address": [
    "reports a client's address",
    /onClient\(\) is missing for port \d+ .*called for 1 clients/,
  ],
  "continues to accept": [
    "accepts no more clients once its listener is closed, and keeps those that it has",
    /in place of a reset|is open waits for a reset/,
  ],
  "closes clients with the listener": [
    "accepts no more clients once its listener is closed, and keeps those that it has",
    /ended\(\) in place of connected\(\)/,
  ],
  "throws when closed twice": [
    "does nothing when its listener is closed a second time",
    /Error: it is closed.* was thrown/s,
  ],
  "ends refused clients": [
    "resets the clients that are refused, and no others",
    /the client got 0 bytes and saw an end, in place of a reset/,
  ],
});
