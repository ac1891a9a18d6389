import { inspect } from "node:util";
import { type Candidate, formatAddress, type Selector, sameEndpoint } from "@gw/interface";
import { violation } from "../suite.js";

const contract = {
  noThrow: "() never throws, whatever candidates it is given.",
  synchronous: "() is synchronous: it returns a candidate and not a promise of one.",
  undefinedForNone: "() returns undefined when there are no candidates.",
  candidateForSome: "pick() returns undefined only if there are no candidates.",
  offered: "() returns one of the very objects that it was given.",
};

/** Calls a selector and checks what it returns. */
export interface Chooser {
  /**
   * What the selector picks. Throws an AssertionError if it breaks its contract.
   *
   * @param occasion what is special about this call, for the message
   */
  choose(candidates: readonly Candidate[], occasion?: string): Candidate | undefined;
  /** The same for its target; undefined if it has no such method, or wants connections nowhere. */
  aim(candidates: readonly Candidate[], occasion?: string): Candidate | undefined;
}

/** @param earlier all candidates so far; pass one set to several choosers to tell their candidates apart */
export function chooser(selector: Selector, earlier: Set<unknown> = new Set()): Chooser {
  const ask = (
    method: "pick" | "target",
    candidates: readonly Candidate[],
    occasion: string,
  ): Candidate | undefined => {
    const offered = [...candidates];
    const where = `${occasion && `${occasion}, `}given ${listOf(offered)}`;
    const choice = call(selector, method, candidates, where);
    if (offered.length === 0) {
      if (choice === undefined) return undefined;
      throw violation(method + contract.undefinedForNone, `${where}, it returned ${nameOf(choice, earlier)}`);
    }
    const chosen = offered.find(one => one === choice);
    for (const one of offered) earlier.add(one);
    if (chosen || (choice === undefined && method === "target")) return chosen;
    if (method === "pick" && (choice === undefined || choice === null))
      throw violation(contract.candidateForSome, `${where}, it returned ${choice}`);
    const broken = isThenable(choice) ? contract.synchronous : contract.offered;
    throw violation(method + broken, `${where}, it returned ${nameOf(choice, earlier, offered)}`);
  };
  return {
    choose: (candidates, occasion = "") => ask("pick", candidates, occasion),
    aim: (candidates, occasion = "") => ask("target", candidates, occasion),
  };
}

function call(
  selector: Selector,
  method: "pick" | "target",
  candidates: readonly Candidate[],
  where: string,
): unknown {
  try {
    const choice: unknown = method === "pick" ? selector.pick(candidates) : selector.target?.(candidates);
    // A promise is reported as such; its rejection must not end the process.
    if (choice instanceof Promise) choice.catch(() => {});
    return choice;
  } catch (error) {
    throw violation(method + contract.noThrow, `${where}, it threw ${inspect(error, { depth: 0 })}`, error);
  }
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value;
}

function nameOf(choice: unknown, earlier: ReadonlySet<unknown>, offered: readonly Candidate[] = []): string {
  if (isThenable(choice)) return "a promise";
  if (!isCandidate(choice)) return inspect(choice, { depth: 1, breakLength: Number.POSITIVE_INFINITY });
  const name = formatAddress(choice.endpoint);
  if (earlier.has(choice) && !offered.includes(choice)) return `the candidate ${name} of another call`;
  const copied = offered.some(({ endpoint }) => sameEndpoint(endpoint, choice.endpoint));
  return copied ? `another object for ${name}` : `${name}, which was not offered`;
}

function isCandidate(value: unknown): value is Candidate {
  const endpoint: unknown =
    typeof value === "object" && value !== null && "endpoint" in value ? value.endpoint : undefined;
  return (
    typeof endpoint === "object" &&
    endpoint !== null &&
    "host" in endpoint &&
    typeof endpoint.host === "string"
  );
}

function listOf(candidates: readonly Candidate[]): string {
  const names = candidates.slice(0, 8).map(({ endpoint }) => formatAddress(endpoint));
  if (candidates.length === 0) return "no candidates";
  return candidates.length > 8 ? `${names.join(", ")} … (${candidates.length} in all)` : names.join(", ");
}
