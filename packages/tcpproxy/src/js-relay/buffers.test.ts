import { expect, test } from "vitest";
import { Buffers } from "./buffers.js";

/** Lets a socket read `text`. */
function read(staging: Buffers, text: string): number {
  return staging.input.write(text, "latin1");
}

test.each([10, 20_000])("%s bytes that are lent outlive what is read after them", length => {
  const staging = new Buffers();
  const first = "a".repeat(length);
  const staged = staging.forWrite(read(staging, first));
  const lent = staging.lend(length);
  const second = staging.forWrite(read(staging, "b".repeat(length)));
  expect(String(staged)).toBe(first);
  staging.takeBack(lent);
  expect(String(second)).toBe("b".repeat(length));
});

test("memory that was given back is used again", () => {
  const staging = new Buffers();
  const lent = staging.lend(10);
  staging.takeBack(lent);
  staging.lend(10);
  expect(staging.lend(10)).toBe(lent);
});

test("what is copied is not overwritten", () => {
  const staging = new Buffers();
  const copy = staging.copy(read(staging, "early"));
  read(staging, "later");
  expect(String(copy)).toBe("early");
});
