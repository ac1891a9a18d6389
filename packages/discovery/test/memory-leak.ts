import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Discovery } from "@gw/interface";
import { parseEndpoint } from "../src/parse.js";

const sets = ["a", "b"].map(text => Object.freeze([parseEndpoint(text)]));

/** A source that yields another set each time. */
export const changingSource: Discovery = {
  async *watch({ signal }) {
    for (let turn = 0; !signal.aborted; turn++) yield sets[turn % 2] ?? [];
  },
};

/** A source that yields one set, and then none until it is stopped. */
export const quietSource: Discovery = {
  async *watch({ signal }) {
    yield Object.freeze([parseEndpoint("c")]);
    await new Promise<void>(resolve => signal.addEventListener("abort", () => resolve()));
  },
};

const count = 100_000;

/** How many bytes of memory each of 100,000 changes of `discovery` leaks while it is watched. */
export async function bytesPerChange(discovery: Discovery): Promise<number> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const stop = new AbortController();
  const watched = discovery.watch({ signal: stop.signal })[Symbol.asyncIterator]();
  const changes = async (count: number): Promise<number> => {
    for (let change = 0; change < count; change++) await watched.next();
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = await changes(1_000);
  const after = await changes(count);
  stop.abort();
  await watched.return?.();
  return (after - before) / count;
}
