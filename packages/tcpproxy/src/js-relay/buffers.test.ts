import { expect, test } from "vitest";
import { Buffers } from "./buffers.js";

/** Lets a socket read `text`. */
function read(buffers: Buffers, text: string): number {
  return buffers.input.write(text, "latin1");
}

test.each([10, 20_000])("%s bytes that are lent outlive what is read after them", length => {
  const buffers = new Buffers();
  const first = "a".repeat(length);
  const written = buffers.forWrite(read(buffers, first));
  const lent = buffers.lend(length);
  const second = buffers.forWrite(read(buffers, "b".repeat(length)));
  expect(String(written)).toBe(first);
  buffers.takeBack(lent);
  expect(String(second)).toBe("b".repeat(length));
});

test("memory that was taken back is used again", () => {
  const buffers = new Buffers();
  const lent = buffers.lend(10);
  buffers.takeBack(lent);
  buffers.lend(10);
  expect(buffers.lend(10)).toBe(lent);
});

test("what is copied is not overwritten", () => {
  const buffers = new Buffers();
  const copy = buffers.copy(read(buffers, "early"));
  read(buffers, "later");
  expect(String(copy)).toBe("early");
});
