import { inspect } from "node:util";
import type { Address, Discovery, Endpoint } from "@gw/interface";
import { violation } from "../suite.js";

export type EndpointSet = readonly Endpoint[];

/** One watch of a discovery. No wait for it lasts longer than the limit. */
export interface CheckedWatch {
  /** The next set; undefined when the iteration has ended. */
  next(): Promise<EndpointSet | undefined>;
  /** The next set. Throws a violation of `contract` if the iteration ends instead. */
  set(contract: string): Promise<EndpointSet>;
  /** What `break` in a `for await` does. */
  leave(): Promise<void>;
  abort(): void;
  /** Demands that the iteration ends, after at most one more set, and stays ended. */
  ends(occasion: string): Promise<void>;
}

/** What a case about discoveries gets. */
export interface DiscoverySubject {
  /** Starts to watch the discovery. Every watch is aborted after the case. */
  readonly watch: (controller?: AbortController) => CheckedWatch;
  /** Whether the discovery's set can change. */
  readonly changes: boolean;
  readonly change: () => Promise<void>;
  /** All endpoints before the first change, if they are known. */
  readonly endpoints: readonly Address[] | undefined;
}

const contract = {
  noThrow: "A watch never throws.",
  array: "A set of endpoints is an array.",
  prompt: "A watch yields its set, a change or its end within the limit.",
  ending: "A watch ends soon after its signal was aborted, without throwing, and stays ended.",
  leaving: "A watch has a return(), so that `break` ends it.",
};

/**
 * Starts to watch at once. Throws an AssertionError if watch() throws.
 *
 * @param limitMs how long each step of the discovery may take, in milliseconds
 * @param controller aborts the watch; it may be aborted already
 */
export function watch(
  discovery: Discovery,
  limitMs: number,
  controller: AbortController = new AbortController(),
): CheckedWatch {
  const iterator = startWatch(discovery, controller.signal);
  const next = async (): Promise<EndpointSet | undefined> => {
    const { done, value } = await withinLimit(limitMs, "next()", () => iterator.next());
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
      await withinLimit(limitMs, "return()", async () => iterator.return?.());
    },
    abort: () => controller.abort(),
    async ends(occasion) {
      const late = await next();
      if (late && (await next())) throw violation(contract.ending, `${occasion}, it continued to yield sets`);
      if (await next()) throw violation(contract.ending, `${occasion}, it ended and then yielded a set`);
    },
  };
}

function startWatch(discovery: Discovery, signal: AbortSignal): AsyncIterator<EndpointSet> {
  try {
    return discovery.watch({ signal })[Symbol.asyncIterator]();
  } catch (error) {
    throw throwViolation("watch()", error);
  }
}

/** Runs `run` at once. An error is a violation, and so is taking longer than `limitMs`. */
async function withinLimit<Value>(
  limitMs: number,
  action: string,
  run: () => Promise<Value>,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(violation(contract.prompt, `${action} took over ${limitMs} ms`)),
      limitMs,
    );
  });
  const running = (async () => run())().catch(error => {
    throw throwViolation(action, error);
  });
  return Promise.race([running, late]).finally(() => clearTimeout(timer));
}

function throwViolation(action: string, error: unknown): Error {
  return violation(contract.noThrow, `${action} threw ${inspect(error, { depth: 0 })}`, error);
}
