import { inspect } from "node:util";
import type { Address, Discovery, Endpoint } from "@gw/interface";
import { violation } from "../suite.js";

export type EndpointSet = readonly Endpoint[];

/** One watch of a discovery, of which nothing can be waited for endlessly. */
export interface Watched {
  /** The next set; undefined when the iteration has ended. */
  next(): Promise<EndpointSet | undefined>;
  /** The next set, where there must be one. */
  set(contract: string): Promise<EndpointSet>;
  /** What `break` in a `for await` does. */
  leave(): Promise<void>;
  abort(): void;
  /** Demands that the iteration is over, at most one set that was under way aside, and stays so. */
  ends(occasion: string): Promise<void>;
}

/** What a case about discoveries works with. */
export interface DiscoverySubject {
  /** Begins to watch the case's discovery. Every watch is aborted after the case. */
  readonly watch: (controller?: AbortController) => Watched;
  /** Whether `change` does anything. */
  readonly changes: boolean;
  readonly change: () => Promise<void>;
  /** All endpoints before the first change, if they are known. */
  readonly endpoints: readonly Address[] | undefined;
}

const contract = {
  calm: "A watch never throws.",
  array: "A set of endpoints is an array.",
  prompt: "A watch has its set, its change or its end soon.",
  ending: "A watch ends soon after its signal was aborted, without throwing, and stays ended.",
  leaving: "A watch has a return(), so that `break` ends it.",
};

/**
 * Begins to watch, at once. Throws an AssertionError if watch() throws.
 *
 * @param limitMs how long the discovery may take for anything, in milliseconds
 * @param controller aborts the watch; it may have done so already
 */
export function watch(
  discovery: Discovery,
  limitMs: number,
  controller: AbortController = new AbortController(),
): Watched {
  const iterator = begin(discovery, controller.signal);
  const next = async (): Promise<EndpointSet | undefined> => {
    const { done, value } = await soon(limitMs, "next()", () => iterator.next());
    if (done) return undefined;
    if (!Array.isArray(value)) throw violation(contract.array, inspect(value));
    return value;
  };
  return {
    next,
    async set(demand) {
      const set = await next();
      if (!set) throw violation(demand, "the iteration ended");
      return set;
    },
    async leave() {
      if (!iterator.return) throw violation(contract.leaving, "it has none");
      await soon(limitMs, "return()", async () => iterator.return?.());
    },
    abort: () => controller.abort(),
    async ends(occasion) {
      const late = await next();
      if (late && (await next())) throw violation(contract.ending, `${occasion}, it went on to yield sets`);
      if (await next()) throw violation(contract.ending, `${occasion}, it ended and then yielded a set`);
    },
  };
}

function begin(discovery: Discovery, signal: AbortSignal): AsyncIterator<EndpointSet> {
  try {
    return discovery.watch({ signal })[Symbol.asyncIterator]();
  } catch (error) {
    throw thrown("watch()", error);
  }
}

/** Runs `run` at once. Turns into violations: what throws, and what takes longer than `limitMs`. */
async function soon<Value>(limitMs: number, action: string, run: () => Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(violation(contract.prompt, `${action} took over ${limitMs} ms`)),
      limitMs,
    );
  });
  const running = (async () => run())().catch(error => {
    throw thrown(action, error);
  });
  return Promise.race([running, late]).finally(() => clearTimeout(timer));
}

function thrown(action: string, error: unknown): Error {
  return violation(contract.calm, `${action} threw ${inspect(error, { depth: 0 })}`, error);
}
