import { testThatFaultsAreCaught } from "../../test/relays.js";

const idle = "times out idle connections, and not those with traffic in either direction";
const half = "times out silent connections of which one side has ended, and no others";
const stuck = "times out readers that take nothing, and not those that take a little now and then";

testThatFaultsAreCaught(
  {
    "has no timeouts": [idle, /ended\(\) is missing .* nothing happened for 6000 ms/],
    "times out early": [idle, /it was timed out after \d+ ms|saw ECONNRESET/],
    "times out in spite of traffic": [idle, /in place of|did not get|saw ECONNRESET/],
    "times out with an end": [idle, /saw an end, in place of a reset/],
    "times out as half-closed what is open": [half, /did not get 'open'/],
    "times out as stuck what is slow": [stuck, /a slow reader was not spared/],
  },
  { limitMs: 6_000 },
);

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
