import { testThatFaultsAreCaught } from "../../test/relays.js";

const waits = "reports a client that waits for an answer, once for each wait and never early";
const none = "reports no client that does not wait";
const sending = "reports clients that go on sending, or have ended their output";
const early = "counts the wait of a client that has sent early from its connection";
const over = "reports no client that has ended, and none without a stall timeout";

testThatFaultsAreCaught(
  {
    "reports no stalls": [waits, /stalled\(\) is missing/],
    "reports stalls early": [waits, /was reported after \d+ ms, in place of/],
    "reports stalls late": [waits, /was reported after \d+ ms, in place of|stalled\(\) is missing/],
    "reports one stall only": [waits, /stalled\(\) is missing/],
    "repeats reports of stalls": [waits, /waits for the same answer was reported \d times, in place of 1/],
    "miscounts waits": [waits, /waitingMs is 1,/],
    "miscounts answers": [waits, /answeredMs is 1000000000,/],
    "counts from the first answer": [waits, /answeredMs is [\d.]+, in place of 0 to \d+/],
    "reports answered clients": [none, /was answered was reported/],
    "reports clients that have sent nothing": [none, /has sent nothing was reported/],
    "waits for backends that have ended": [none, /has a backend that has ended its output was reported/],
    "reports clients that take no bytes": [none, /takes no bytes was reported/],
    "restarts waits with each byte": [sending, /stalled\(\) is missing/],
    "reports no half-closed clients": [sending, /stalled\(\) is missing/],
    "counts waits from the first byte": [early, /was reported after \d+ ms, in place of|without a dial/],
    "reports stalls without a timeout": [over, /has no stall timeout was reported 1 times/],
    "reports stalls after the end": [over, /has ended was reported|waitingMs is .* has ended/],
  },
  { limitMs: 1_200 },
);
