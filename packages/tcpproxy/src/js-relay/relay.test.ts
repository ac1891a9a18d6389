import { relayCompliance } from "@gw/compliance";
import { systemClock } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { jsRelay } from "../index.js";
import { Buffers } from "./buffers.js";
import { detectReader } from "./self-test.js";
import { SharedBufferReader } from "./socket-events.js";

/** The built package, for a process of its own. */
const factory = { module: new URL("../../dist/index.js", import.meta.url).href, name: "jsRelay" };

const takesSockets = process.platform !== "win32";

describe("the JavaScript relay", () => {
  for (const { name, run } of relayCompliance(() => jsRelay(), { factory, takesSockets }))
    test(name, run, 120_000);
});

test("this version of Node can read all sockets into one buffer", async () => {
  expect(await detectReader(new Buffers(), systemClock)).toBeInstanceOf(SharedBufferReader);
});
