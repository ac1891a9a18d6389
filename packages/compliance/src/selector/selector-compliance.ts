import type { Selector } from "@gw/interface";
import { type Case, type ComplianceCase, violation } from "../suite.js";
import { choiceCases } from "./choice.js";
import { memoryCases } from "./memory.js";
import { purityCases } from "./purity.js";

/**
 * What every selector must do, whatever its policy is. Deterministic as far as the selector is: nothing in
 * it depends on time or chance.
 *
 * @param make a fresh selector each time; what it throws fails the case that asked for it
 */
export function selectorCompliance(make: () => Selector | Promise<Selector>): readonly ComplianceCase[] {
  const cases: readonly Case<() => Promise<Selector>>[] = [...choiceCases, ...memoryCases, ...purityCases];
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

/** What a package has no business to change. */
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
 * Remembers the built-in objects as they are now. The function returned puts back what was changed since,
 * as far as that can be done, and names it: `Array.prototype.last`.
 */
function rememberBuiltIns(): () => readonly string[] {
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
