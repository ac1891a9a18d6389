import { AssertionError } from "node:assert";

/** One test of a suite. Any runner will do: `for (const { name, run } of suite) test(name, run);` */
export interface ComplianceCase {
  /** The behaviour that the case demands. */
  readonly name: string;
  /**
   * Resolves if the subject behaves so. Rejects with an AssertionError that says what the contract is and
   * what was seen, or with what the factory under test threw.
   */
  readonly run: () => Promise<void>;
}

/** A case that is not bound to its subject yet. */
export interface Case<Subject> {
  readonly name: string;
  readonly check: (subject: Subject) => Promise<void>;
}

/** A violation of `contract`, a sentence, of which `seen` is the proof. */
export function violation(contract: string, seen: string, cause?: unknown): AssertionError {
  const error = new AssertionError({ message: `${contract}\n  seen: ${seen}` });
  return cause === undefined ? error : Object.assign(error, { cause });
}
