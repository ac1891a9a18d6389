import type { Selector } from "@gw/interface";
import { type Case, type ComplianceCase, violation } from "../suite.js";
import { choiceCases } from "./choice.js";
import { factCases } from "./facts.js";
import { memoryCases } from "./memory.js";
import { picksAheadCases } from "./picks-ahead.js";
import { purityCases } from "./purity.js";
import { targetCases } from "./target.js";

/**
 * What every selector must do, whatever its policy is. The cases depend neither on time nor on chance.
 *
 * @param make returns a new selector each time; what it throws fails the case that called it
 */
export function selectorCompliance(make: () => Selector | Promise<Selector>): readonly ComplianceCase[] {
  const cases: readonly Case<() => Promise<Selector>>[] = [
    ...choiceCases,
    ...factCases,
    ...targetCases,
    ...memoryCases,
    ...picksAheadCases,
    ...purityCases,
  ];
  return cases.map(({ name, check }) => ({
    name,
    run: () => checkingBuiltIns(() => check(async () => make())),
  }));
}

/** Checks and restores the built-in objects after each case, so that a change cannot affect the next one. */
async function checkingBuiltIns(run: () => Promise<void>): Promise<void> {
  const restore = snapshotBuiltIns();
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

/** Objects that a package must not change. */
const builtIns: ReadonlyMap<string, object> = new Map<string, object>([
  ["Object", Object],
  ["Object.prototype", Object.prototype],
  ["Array", Array],
  ["Array.prototype", Array.prototype],
  ["Function.prototype", Function.prototype],
  ["Map.prototype", Map.prototype],
  ["Set.prototype", Set.prototype],
  ["String.prototype", String.prototype],
  ["Number.prototype", Number.prototype],
  ["Promise.prototype", Promise.prototype],
  ["Math", Math],
  ["Date", Date],
  ["JSON", JSON],
]);

type Properties = ReadonlyMap<PropertyKey, PropertyDescriptor>;

/**
 * Takes a snapshot of the built-in objects. The function returned restores what has changed since, as far as that is
 * possible, and returns the names: `Array.prototype.last`.
 */
function snapshotBuiltIns(): () => readonly string[] {
  const remembered = [...builtIns].map(([name, object]) => ({ name, object, before: propertiesOf(object) }));
  return () =>
    remembered.flatMap(({ name, object, before }) =>
      changedKeys(before, propertiesOf(object)).map(key => {
        restore(object, key, before.get(key));
        return `${name}.${String(key)}`;
      }),
    );
}

function propertiesOf(object: object): Properties {
  const keys = Reflect.ownKeys(object);
  return new Map(keys.map(key => [key, Object.getOwnPropertyDescriptor(object, key) ?? {}]));
}

function changedKeys(before: Properties, after: Properties): readonly PropertyKey[] {
  const keys = new Set([...before.keys(), ...after.keys()]);
  return [...keys].filter(key => !isSame(before.get(key), after.get(key)));
}

function isSame(a: PropertyDescriptor | undefined, b: PropertyDescriptor | undefined): boolean {
  return a !== undefined && b !== undefined && a.value === b.value && a.get === b.get && a.set === b.set;
}

function restore(object: object, key: PropertyKey, before: PropertyDescriptor | undefined): void {
  if (before) Reflect.defineProperty(object, key, before);
  else Reflect.deleteProperty(object, key);
}
