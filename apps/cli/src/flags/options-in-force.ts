import { withoutCredentials } from "@gw/interface";
import type { Command } from "commander";
import { readVariable } from "./environment.js";
import { type FlagTable, variable } from "./flag.js";
import { textsOf } from "./table.js";

/** A flag, what it is set to and where that came from. */
export interface OptionInForce {
  /** Without its dashes. */
  readonly flag: string;
  readonly value: string;
  readonly from: "flag" | "environment" | "default";
}

/** Flags whose values are never shown. */
const secret: ReadonlySet<string> = new Set(["etcd-user", "etcd-token"]);
const hidden = "(hidden)";

/** All flags of `table`, as `command` was given them, or `gw` before it; see `valuesOf`. */
export function optionsInForce(gw: Command, command: Command, table: FlagTable): readonly OptionInForce[] {
  return Object.values(table).map(flag => {
    const own = textsOf(command, flag);
    const left = command === gw ? [] : textsOf(gw, flag);
    const isList = /repeatable/.test(flag.help);
    const texts = isList ? [...left, ...own] : [own.at(-1) ?? left.at(-1) ?? []].flat();
    const fromVariable = readVariable(variable(flag), process.env);
    const shown = (text: string): string => (secret.has(flag.name) ? hidden : withoutCredentials(text));
    if (texts.length > 0) return { flag: flag.name, value: shown(texts.join(",")), from: "flag" };
    if (fromVariable !== undefined)
      return { flag: flag.name, value: shown(fromVariable), from: "environment" };
    return { flag: flag.name, value: flag.byDefault ?? "none", from: "default" };
  });
}
