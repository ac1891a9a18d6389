// With one thread, every connection shares its tick, its buffer and its pipes with all others.
import { relayCompliance } from "@gw/compliance";
import { describe } from "vitest";
import { test } from "../test/available.js";
import { splice } from "./index.js";

describe("the native relay on one thread", () => {
  const sizes = {
    hasStock: true,
    takesSockets: true,
    bulkBytes: 16 * 1024 * 1024,
    connections: 300,
    idleConnections: 300,
    turnover: 500,
  };
  for (const { name, run } of relayCompliance(() => splice({ threads: 1 }), sizes)) test(name, run, 120_000);
});
