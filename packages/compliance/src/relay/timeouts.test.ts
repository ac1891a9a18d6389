import { testThatFaultsAreCaught } from "../../test/relays.js";

const idle = "times out idle connections, and not those with traffic in either direction";
const half = "times out silent connections of which one side has ended, and no others";
const stuck = "times out readers that take no bytes, and not those that take some now and then";

testThatFaultsAreCaught(
  {
    "has no timeouts": [idle, /ended\(\) is missing .* nothing happened for 6000 ms/],
    "times out early": [idle, /it was timed out after \d+ ms|saw ECONNRESET/],
    "times out in spite of traffic": [idle, /in place of|did not get|saw ECONNRESET/],
    "times out with an end": [idle, /saw an end, in place of a reset/],
    "applies the half-close timeout to open connections": [half, /did not get 'open'/],
    "times out slow readers": [stuck, /a slow reader was timed out/],
  },
  { limitMs: 6_000 },
);

testThatFaultsAreCaught({
  "sends no keepalive": [
    "enables TCP keepalive towards both sides of a connection",
    /towards the client no timer/,
  ],
  "always sends keepalive": [
    "enables no TCP keepalive where none is configured",
    /towards the client timer 2/,
  ],
});
