import { expect, test } from "vitest";
import { createLimiter } from "./limiter.js";

/** Work that runs until the test ends it, and records its start. */
function rig(limit: number, reserved?: number) {
  const limited = createLimiter({ limit, reserved });
  const running: string[] = [];
  const ends = new Map<string, (failed: boolean) => void>();
  let most = 0;
  return {
    running,
    get most() {
      return most;
    },
    start: (name: string, slow?: boolean): Promise<string> =>
      limited(async () => {
        running.push(name);
        most = Math.max(most, running.length);
        const failed = await new Promise<boolean>(resolve => ends.set(name, resolve));
        running.splice(running.indexOf(name), 1);
        if (failed) throw new Error(name);
        return name;
      }, slow),
    async end(name: string, failed = false) {
      ends.get(name)?.(failed);
      await new Promise(resolve => setImmediate(resolve));
    },
  };
}

test("work up to the limit runs at once, the rest in the order of the calls", async () => {
  const { start, running, end } = rig(2);
  const all = ["a", "b", "c", "d"].map(name => start(name));
  await end("");
  expect(running).toEqual(["a", "b"]);
  await end("b");
  expect(running).toEqual(["a", "c"]);
  await end("a");
  await end("c");
  await end("d");
  expect(await Promise.all(all)).toEqual(["a", "b", "c", "d"]);
});

test("work that fails frees its place, and its error is the caller's", async () => {
  const { start, running, end } = rig(1);
  const first = start("a").catch((error: Error) => `failed ${error.message}`);
  const second = start("b");
  await end("a", true);
  expect(running).toEqual(["b"]);
  await end("b");
  expect([await first, await second]).toEqual(["failed a", "b"]);
});

test("slow work leaves the reserved places free", async () => {
  const { start, running, end } = rig(3, 1);
  for (const name of ["s1", "s2", "s3"]) void start(name, true);
  void start("f1");
  void start("f2");
  await end("");
  expect(running).toEqual(["s1", "s2", "f1"]);
  await end("s1");
  expect(running).toEqual(["s2", "f1", "f2"]);
  await end("f1");
  expect(running).toEqual(["s2", "f2", "s3"]);
});

test("a hundred thousand may wait", async () => {
  const limited = createLimiter({ limit: 3 });
  let ran = 0;
  let running = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    running += 1;
    most = Math.max(most, running);
    await null;
    running -= 1;
    ran += 1;
  };
  await Promise.all(Array.from({ length: 100_000 }, () => limited(work)));
  expect({ ran, most }).toEqual({ ran: 100_000, most: 3 });
});
