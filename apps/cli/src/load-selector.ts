import { isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { GatewayError, quote, type Selector, type SelectorFactory } from "@gw/interface";
import { type BuiltInSelector, builtInSelectors } from "./built-in-selectors.js";
import { parseSelector, type SelectorText } from "./selector-text.js";

/** A policy, and what is known of it. */
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
 *   with `.` or `/`
 * @param folder where packages and relative paths are looked up; by default the working folder
 * @throws {GatewayError} `invalid-selector` if there is no such thing or it is not of the right shape
 */
export async function loadSelector(text: string, folder?: string): Promise<LoadedSelector> {
  const asked = parseSelector(text);
  const { name } = asked;
  const builtIn = Object.hasOwn(builtInSelectors, name) ? builtInSelectors[name] : undefined;
  if (builtIn) {
    const { make: factory, ...known } = builtIn;
    return { ...known, name, selector: make(asked, factory) };
  }
  const factory = await importFactory(name, folder ?? workingFolder(name));
  if (typeof factory !== "function")
    throw invalid(name, `its default export is ${kind(factory)}, not a function that makes a selector`);
  return { name, selector: make(asked, factory as SelectorFactory) };
}

function make({ name, options }: SelectorText, factory: SelectorFactory): Selector {
  let selector: unknown;
  try {
    selector = factory(options);
  } catch (cause) {
    if (cause instanceof GatewayError) throw invalid(name, cause.detail, cause);
    throw invalid(name, `its factory threw: ${message(cause)}`, cause);
  }
  if (isSelector(selector)) return selector;
  throw invalid(name, `its factory returned ${kind(selector)}, not an object with a pick function`);
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
    const module: { readonly default?: unknown } = await withinReason(import(url));
    return module.default;
  } catch (cause) {
    throw invalid(name, `it cannot be loaded: ${message(cause)}`, cause);
  }
}

/** How long a module may take to load, in milliseconds. */
const loadTimeoutMs = 10_000;

/** `loading`, or an error if it takes too long: a module can wait for something that never comes. */
async function withinReason<T>(loading: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not loaded after ${loadTimeoutMs} ms`)), loadTimeoutMs);
  });
  return Promise.race([loading, tooLong]).finally(() => clearTimeout(timer));
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
