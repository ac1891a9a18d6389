import { relayCompliance } from "@gw/compliance";
import { systemClock } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { jsRelay } from "../index.js";
import { Buffers } from "./buffers.js";
import { JsRelay } from "./relay.js";
import { detectReader } from "./self-test.js";
import { SharedBufferReader, streamReader } from "./socket-events.js";

/** The built package, for a process of its own. */
const factory = { module: new URL("../../dist/index.js", import.meta.url).href, name: "jsRelay" };

describe("the JavaScript relay", () => {
  for (const { name, run } of relayCompliance(() => jsRelay(), { factory })) test(name, run, 120_000);
});

describe("the JavaScript relay where sockets can only be read as streams", () => {
  const make = (): JsRelay => new JsRelay({}, async () => streamReader);
  for (const { name, run } of relayCompliance(make, { bulkBytes: 16 * 1024 * 1024 }))
    test(name, run, 120_000);
});

test("this version of Node can read all sockets into one buffer", async () => {
  expect(await detectReader(new Buffers(), systemClock)).toBeInstanceOf(SharedBufferReader);
});
