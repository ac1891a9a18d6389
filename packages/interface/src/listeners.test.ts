import { expect, test, vi } from "vitest";
import { createListeners } from "./listeners.js";

test("listeners are called in their order, as often as they were added", () => {
  const seen: string[] = [];
  const listeners = createListeners<[change: string]>("a test");
  const first = (change: string): void => void seen.push(`first ${change}`);
  const stop = listeners.add(first);
  listeners.add(change => void seen.push(`second ${change}`));
  listeners.add(first);
  listeners.call("a");
  expect(seen).toEqual(["first a", "second a", "first a"]);
  seen.length = 0;
  stop();
  stop();
  listeners.call("b");
  expect(seen).toEqual(["second b", "first b"]);
});

test("a listener that is taken away or added by another one does not change the call that is under way", () => {
  const seen: string[] = [];
  const listeners = createListeners("a test");
  listeners.add(() => {
    stop();
    listeners.add(() => void seen.push("added"));
  });
  const stop = listeners.add(() => void seen.push("taken away"));
  listeners.call();
  expect(seen).toEqual(["taken away"]);
});

test("what a listener throws becomes a warning, and the others are called", () => {
  const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  const seen: string[] = [];
  const listeners = createListeners("the pool");
  listeners.add(() => {
    throw new Error("no disk");
  });
  listeners.add(() => void seen.push("called"));
  try {
    listeners.call();
    expect(warned.mock.calls).toEqual([["gw: a listener of the pool threw: no disk"]]);
  } finally {
    warned.mockRestore();
  }
  expect(seen).toEqual(["called"]);
});
