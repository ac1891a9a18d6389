import { AssertionError } from "node:assert";
import type { ComplianceCase } from "../src/suite.js";

/** Runs all cases. Returns the messages of those that failed, by name. */
export async function failuresOf(cases: readonly ComplianceCase[]): Promise<ReadonlyMap<string, string>> {
  const failures = new Map<string, string>();
  for (const { name, run } of cases)
    await run().catch((error: unknown) => {
      if (!(error instanceof AssertionError)) throw error;
      failures.set(name, error.message);
    });
  return failures;
}
