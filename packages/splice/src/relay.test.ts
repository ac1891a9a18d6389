import { relayCompliance } from "@gw/compliance";
import { describe } from "vitest";
import { test } from "../test/available.js";
import { splice } from "./index.js";

/** The built package, for a process of its own. */
const factory = { module: new URL("../dist/index.js", import.meta.url).href, name: "splice" };

describe("the native relay", () => {
  for (const { name, run } of relayCompliance(() => splice(), {
    factory,
    hasStock: true,
    takesSockets: true,
    idleConnections: 4_000,
  }))
    test(name, run, 120_000);
});
