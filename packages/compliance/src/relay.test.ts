import { describe, test } from "vitest";
import { relay } from "../test/relays.js";
import { relayCompliance } from "./relay.js";

describe("the reference relay", () => {
  for (const { name, run } of relayCompliance(() => relay())) test(name, run);
});
