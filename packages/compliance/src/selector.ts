import type { Selector } from "@gw/interface";
import { rememberBuiltIns } from "./built-ins.js";
import { choiceCases } from "./selector-choice.js";
import { mannersCases } from "./selector-manners.js";
import { memoryCases } from "./selector-memory.js";
import { type Case, type ComplianceCase, violation } from "./suite.js";

/**
 * What every selector must do, whatever its policy is. Deterministic as far as the selector is: nothing in
 * it depends on time or chance.
 *
 * @param make a fresh selector each time; what it throws fails the case that asked for it
 */
export function selectorCompliance(make: () => Selector | Promise<Selector>): readonly ComplianceCase[] {
  const cases: readonly Case<() => Promise<Selector>>[] = [...choiceCases, ...memoryCases, ...mannersCases];
  return cases.map(({ name, check }) => ({
    name,
    run: () => leavingBuiltInsAlone(() => check(async () => make())),
  }));
}

/** Each case looks after the built-ins, so that a selector that changes them cannot confuse the next case. */
async function leavingBuiltInsAlone(run: () => Promise<void>): Promise<void> {
  const restore = rememberBuiltIns();
  let changed: readonly string[] = [];
  try {
    await run();
  } finally {
    changed = restore();
  }
  if (changed.length > 0)
    throw violation(
      "A selector leaves JavaScript's built-in objects as they are.",
      `new ${changed.join(", ")}`,
    );
}
