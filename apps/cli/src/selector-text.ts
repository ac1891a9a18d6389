import { GatewayError, quote } from "@gw/interface";

/** What `--selector` says. */
export interface SelectorText {
  /** A built-in policy, a package, or a path. */
  readonly name: string;
  readonly options: { readonly [key: string]: string };
}

/** A name, or a path in which there may be colons, and after a colon the options. */
const form = /^(?<name>.+?):(?<options>[a-z][\w.-]*=[^,]*(?:,[a-z][\w.-]*=[^,]*)*)$/is;

/**
 * Reads `NAME[:key=value,…]`. A colon in a path (`C:\x.js`) begins no options unless what follows looks like them.
 *
 * @throws {GatewayError} `invalid-selector`
 */
export function parseSelector(text: string): SelectorText {
  const { name = text, options = "" } = form.exec(text)?.groups ?? {};
  if (name === "") throw invalid(text, "it is empty; leave it out where it is not meant");
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

function invalid(text: string, detail: string): GatewayError {
  return new GatewayError("invalid-selector", `selector ${quote(text)}: ${detail}`);
}
