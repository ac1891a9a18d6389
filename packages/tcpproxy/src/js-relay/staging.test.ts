import { expect, test } from "vitest";
import { Staging } from "./staging.js";

/** Lets a socket read `text`. */
function read(staging: Staging, text: string): number {
  return staging.input.write(text, "latin1");
}

test.each([10, 20_000])("%s bytes that are lent outlive what is read after them", length => {
  const staging = new Staging();
  const first = "a".repeat(length);
  const staged = staging.stage(read(staging, first));
  const lent = staging.lend(length);
  const second = staging.stage(read(staging, "b".repeat(length)));
  expect(String(staged)).toBe(first);
  staging.giveBack(lent);
  expect(String(second)).toBe("b".repeat(length));
});

test("memory that was given back is used again", () => {
  const staging = new Staging();
  const lent = staging.lend(10);
  staging.giveBack(lent);
  staging.lend(10);
  expect(staging.lend(10)).toBe(lent);
});

test("what is copied is not overwritten", () => {
  const staging = new Staging();
  const copy = staging.copy(read(staging, "early"));
  read(staging, "later");
  expect(String(copy)).toBe("early");
});
