import { messageOf } from "@gw/interface";
import { test as everywhere } from "vitest";
import { splice } from "../src/index.js";

/** Whether to skip tests of the relay: why it cannot run here, else false. An error under CI, on Linux. */
export function relayMissing(): string | false {
  try {
    splice();
    return false;
  } catch (error) {
    if (process.env["CI"] && process.platform === "linux") throw error;
    return messageOf(error);
  }
}

/** A test that needs the relay. */
export const test = everywhere.skipIf(relayMissing());
