import { expect, test } from "vitest";
import { SharedIntake } from "./intake.js";
import { intakeFor } from "./probe.js";
import { Staging } from "./staging.js";

test("this version of Node reads into a shared buffer", async () => {
  expect(await intakeFor(new Staging())).toBeInstanceOf(SharedIntake);
});
