import { describe, test } from "vitest";
import { relay, testThatFaultsAreCaught } from "../../test/relays.js";
import { relayCompliance } from "./relay-compliance.js";
import { stockCases } from "./stock.js";

const names = new Set(stockCases.map(({ name }) => name));

describe("the reference relay, with a stock", () => {
  const cases = relayCompliance(() => relay(), { hasStock: true });
  for (const { name, run } of cases.filter(one => names.has(one.name))) test(name, run);
});

const first = "dials for a client by the stock, and reports both";
const order = "uses the dials of a stock in their order, on all of its listeners, and asks when it is empty";
const takes = "gives the oldest dial of a stock out, and all others back";
const again = "reports that a dial of the stock failed, and dials again for the same client";
const race = "takes dials back while clients come, and dials for none of them by these";

testThatFaultsAreCaught(
  {
    "hides the dials of clients": [first, /onClient\(\) without the dial|without a dial/],
    "adds fewer dials than it says": [first, /add\(\) added 0 of 1 dials/],
    "uses the newest dial": [order, /client 0 got dial 19/],
    "keeps dials that were taken out": [takes, /in place of 0 to 9/],
    "times each dial from accept": [again, /the time of a dial that is not of the stock/],
    "dials by what was taken back": [race, /dial that was taken back|connections to a backend/],
  },
  { hasStock: true },
);
