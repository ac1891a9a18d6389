import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { notify, type Observer } from "./observer.js";

const event = { limit: 7 };

/** The message of the next process warning. */
async function nextWarning(): Promise<string> {
  const [warning] = (await once(process, "warning")) as [Error];
  return warning.message;
}

test("calls the observer's method with the event, and as its method", () => {
  const seen: unknown[] = [];
  const observer = {
    limitReached(this: unknown, given: unknown) {
      seen.push(this, given);
    },
  };
  notify(observer, "limitReached", event);
  expect(seen).toEqual([observer, event]);
});

test("does nothing without an observer, or without its method", () => {
  notify(undefined, "limitReached", event);
  notify({}, "limitReached", event);
});

describe("an observer that throws", () => {
  test.each([
    ["an error", new Error("disk full"), "disk full"],
    ["text", "disk full", "disk full"],
    ["undefined", undefined, "undefined"],
    ["a symbol", Symbol("full"), "Symbol(full)"],
    ["an object without prototype", Object.create(null), "[Object: null prototype] {}"],
  ])("%s changes nothing, and becomes a process warning", async (_, thrown, says) => {
    const warning = nextWarning();
    const observer: Observer = {
      limitReached() {
        throw thrown;
      },
    };
    expect(notify(observer, "limitReached", event)).toBeUndefined();
    expect(await warning).toBe(`gw: the observer's limitReached threw: ${says}`);
  });

  test("later, by a promise, becomes a process warning too", async () => {
    const warning = nextWarning();
    const observer: Observer = {
      async limitReached() {
        throw new Error("disk full");
      },
    };
    notify(observer, "limitReached", event);
    expect(await warning).toBe("gw: the observer's limitReached threw: disk full");
  });

  test("in a getter becomes a process warning, too", async () => {
    const warning = nextWarning();
    const observer: Observer = {
      get limitReached(): never {
        throw new Error("no such method");
      },
    };
    notify(observer, "limitReached", event);
    expect(await warning).toBe("gw: the observer's limitReached threw: no such method");
  });
});
