// Where a socket cannot be read into a buffer of the relay, it is read as a stream.
import { relayCompliance } from "@gw/compliance";
import { describe, test } from "vitest";
import { JsRelay } from "./relay.js";
import { streamReader } from "./socket-events.js";

describe("the JavaScript relay where sockets can only be read as streams", () => {
  const make = (): JsRelay => new JsRelay({}, async () => streamReader);
  for (const { name, run } of relayCompliance(make, { bulkBytes: 16 * 1024 * 1024 }))
    test(name, run, 120_000);
});
