import { isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  GatewayError,
  quote,
  type Selector,
  type SelectorFactory,
  systemClock,
  withTimeout,
} from "@gw/interface";
import {
  first,
  leader,
  leastConnections,
  nearest,
  random,
  roundRobin,
  stickyRandom,
  twoChoices,
  weightedRandom,
  weightedRoundRobin,
} from "@gw/selector";
import { parseDuration } from "../flags/duration.js";
import { orZero, parseShare } from "../flags/flag.js";
import { importModule } from "../process/code-cache.js";

/** A selector and its properties. */
export interface LoadedSelector extends Omit<BuiltInSelector, "make"> {
  /** Without its options. */
  readonly name: string;
  readonly selector: Selector;
}

/**
 * A built-in selector by its name, or the default export of a package or module of the user's project, made with the
 * options that follow the name.
 *
 * @param text `NAME[:key=value,…]`: a built-in name; a package installed in `folder` or above; or a path that starts
 *   with `.` or `/`; @default the first built-in one
 * @param folder where packages and relative paths are looked up; by default the working folder
 * @throws {GatewayError} `invalid-selector` if there is none of that name, or it is no selector
 */
export async function loadSelector(text: string = defaultSelector, folder?: string): Promise<LoadedSelector> {
  const parsed = parseSelector(text);
  const { name } = parsed;
  const builtIn = Object.hasOwn(builtInSelectors, name) ? builtInSelectors[name] : undefined;
  if (builtIn) {
    const { make: factory, ...known } = builtIn;
    return { ...known, name, selector: create(parsed, factory) };
  }
  const factory = await importFactory(name, folder ?? workingFolder(name));
  if (typeof factory !== "function")
    throw invalid(name, `its default export is ${kind(factory)}, not a function that makes a selector`);
  return { name, selector: create(parsed, factory as SelectorFactory) };
}

function create({ name, options }: SelectorText, factory: SelectorFactory): Selector {
  let selector: unknown;
  try {
    selector = factory(options);
  } catch (cause) {
    if (cause instanceof GatewayError) throw invalid(name, cause.detail, cause);
    throw invalid(name, `its factory threw: ${message(cause)}`, cause);
  }
  if (!isSelector(selector))
    throw invalid(name, `its factory returned ${kind(selector)}, not an object with a pick function`);
  const { target, targetRate = 0 }: { readonly target?: unknown; readonly targetRate?: unknown } = selector;
  if (target !== undefined && typeof target !== "function")
    throw invalid(name, `its target is ${kind(target)}, not a function`);
  if (typeof targetRate === "number" && targetRate >= 0 && targetRate <= 1) return selector;
  throw invalid(name, `its targetRate ${quote(String(targetRate))} is not a number from 0 to 1`);
}

/** The working folder can be removed while a program runs in it; built-in selectors do without. */
function workingFolder(name: string): string {
  try {
    return process.cwd();
  } catch (cause) {
    if (isAbsolute(name)) return "/";
    throw invalid(name, "the working folder, where it is looked up, does not exist any more", cause);
  }
}

async function importFactory(name: string, folder: string): Promise<unknown> {
  const url = await locate(name, folder);
  try {
    return (await withinTimeout(importModule(url))).default;
  } catch (cause) {
    throw invalid(name, `it cannot be loaded: ${message(cause)}`, cause);
  }
}

/** How long a module may take to load, in milliseconds. */
const loadTimeoutMs = 10_000;

/** `loading`, or an error if it takes too long: a module can wait for something that never comes. */
function withinTimeout<T>(loading: Promise<T>): Promise<T> {
  return withTimeout({ clock: systemClock, timeoutMs: loadTimeoutMs }, (resolve, reject) => {
    loading.then(resolve, reject);
    return () => {};
  });
}

async function locate(name: string, folder: string): Promise<string> {
  if (name.startsWith(".") || isAbsolute(name)) return pathToFileURL(resolve(folder, name)).href;
  const { resolve: resolveImport } = await import("import-meta-resolve");
  try {
    return resolveImport(name, pathToFileURL(join(folder, "noop.js")).href);
  } catch (cause) {
    const known = Object.keys(builtInSelectors).join(", ");
    throw invalid(name, `neither a built-in selector (${known}) nor a package installed in ${folder}`, cause);
  }
}

function isSelector(value: unknown): value is Selector {
  return typeof value === "object" && value !== null && "pick" in value && typeof value.pick === "function";
}

function kind(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  return value instanceof Promise ? "a promise" : `a value of type ${typeof value}`;
}

function message(error: unknown): string {
  const [line = ""] = (error instanceof Error ? error.message : String(error)).split("\n", 1);
  return line;
}

function invalid(name: string, detail: string, cause?: unknown): GatewayError {
  return new GatewayError("invalid-selector", `selector ${quote(name)}: ${detail}`, { cause });
}

/** A policy that comes with gw. */
interface BuiltInSelector {
  readonly make: SelectorFactory;
  /** Keeps to one endpoint, so that rebalancing has no effect unless it has a target. */
  readonly sticky?: true;
  /** Gives endpoints their share by SRV weight. */
  readonly weighted?: true;
}

/** The selectors that come with gw; the first is the default. */
const builtInSelectors: { readonly [name: string]: BuiltInSelector } = {
  "sticky-random": {
    make({ failback, ...rest }) {
      refuseOthers(rest, ["failback"]);
      return stickyRandom({ failbackMs: read("failback", failback, parseDuration) });
    },
    sticky: true,
  },
  leader: {
    make({ settle, ...rest }) {
      refuseOthers(rest, ["settle"]);
      return leader({ settleMs: read("settle", settle, orZero) });
    },
    sticky: true,
  },
  nearest: {
    make({ tolerance, "min-tolerance": minTolerance, settle, ...rest }) {
      refuseOthers(rest, ["tolerance", "min-tolerance", "settle"]);
      return nearest({
        tolerance: read("tolerance", tolerance, parseShare),
        minToleranceMs: read("min-tolerance", minTolerance, orZero),
        settleMs: read("settle", settle, orZero),
      });
    },
    sticky: true,
  },
  random: { make: options => plain(options, random) },
  "round-robin": { make: options => plain(options, roundRobin) },
  "weighted-round-robin": { make: options => plain(options, weightedRoundRobin), weighted: true },
  "weighted-random": { make: options => plain(options, weightedRandom), weighted: true },
  "least-connections": { make: options => plain(options, leastConnections), weighted: true },
  "two-choices": {
    make({ choices, ...rest }) {
      refuseOthers(rest, ["choices"]);
      return twoChoices({ choices: read("choices", choices, wholeNumber) });
    },
    weighted: true,
  },
  first: { make: options => plain(options, first), sticky: true },
};

/** The default of `--selector`. */
export const defaultSelector: string = Object.keys(builtInSelectors)[0] ?? "";

/** A policy that has no options. */
function plain(options: { readonly [key: string]: string }, make: () => Selector): Selector {
  refuseOthers(options, []);
  return make();
}

function refuseOthers(rest: { readonly [key: string]: string }, known: readonly string[]): void {
  const [unknown] = Object.keys(rest);
  if (unknown === undefined) return;
  const has = known.length > 0 ? `it has ${known.join(", ")}` : "it has none";
  throw new GatewayError("invalid-option", `there is no option ${quote(unknown)}; ${has}`);
}

/** The value of an option, if it is given. */
function read(key: string, value: string | undefined, parse: (text: string) => number): number | undefined {
  if (value === undefined) return undefined;
  try {
    return parse(value);
  } catch (cause) {
    throw new GatewayError("invalid-option", `${key} ${GatewayError.from(cause, key).detail}`, { cause });
  }
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new GatewayError("invalid-option", `${quote(text)} is not a whole number`);
}

/** A value of `--selector`. */
interface SelectorText {
  /** A built-in policy, a package, or a path. */
  readonly name: string;
  readonly options: { readonly [key: string]: string };
}

/** A name, or a path in which there may be colons, and after a colon the options. */
const form = /^(?<name>.+?):(?<options>[a-z][\w.-]*=[^,]*(?:,[a-z][\w.-]*=[^,]*)*)$/is;

/**
 * Reads `NAME[:key=value,…]`. A colon in a path (`C:\x.js`) begins no options unless `key=value` follows.
 *
 * @throws {GatewayError} `invalid-selector`
 */
export function parseSelector(text: string): SelectorText {
  const { name = text, options = "" } = form.exec(text)?.groups ?? {};
  if (name === "") throw invalid(text, "it is empty; give a value or omit it");
  if (options === "" && name.includes(":") && !isPath(name))
    throw invalid(text, 'what follows ":" must be options of the form key=value, separated by commas');
  const known = new Map<string, string>();
  for (const option of options === "" ? [] : options.split(",")) {
    const [key = ""] = option.split("=", 1);
    if (known.has(key)) throw invalid(text, `the option ${quote(key)} is given twice`);
    known.set(key, option.slice(key.length + 1));
  }
  return { name, options: Object.fromEntries(known) };
}

function isPath(name: string): boolean {
  return /^(?:[./\\]|[a-z]:[\\/])/i.test(name);
}
