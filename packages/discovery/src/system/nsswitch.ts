import { hostname } from "node:os";
import { changingFile } from "./changing-file.js";

/** A source of addresses that can be read without the system, and whether the search ends with it. */
export interface NameSource {
  readonly source: "files" | "dns";
  /** Whether the search ends if it does not have the name. */
  readonly endsWhenUnknown: boolean;
  /** Whether the search ends if it fails (no server answers). */
  readonly endsWhenFailing: boolean;
}

/** The default without a file, or without a `hosts` line in it. */
const defaultSources: readonly NameSource[] = [
  { source: "files", endsWhenUnknown: false, endsWhenFailing: false },
  { source: "dns", endsWhenUnknown: false, endsWhenFailing: false },
];

/** The sources for a name; undefined if only the system can look it up. */
export type SourcesOf = (name: string) => readonly NameSource[] | undefined;

const maxBytes = 1024 * 1024;

/** Follows the configuration of the name service switch, nsswitch.conf(5). */
export function followNsswitch(
  path = "/etc/nsswitch.conf",
): (name: string) => Promise<readonly NameSource[] | undefined> {
  const read = changingFile(path, maxBytes, parseNsswitch);
  return async name => {
    const sourcesOf = await read();
    return sourcesOf ? sourcesOf(name) : defaultSources;
  };
}

/** Sources for special names only. Whether they have no results for `name`: */
const isSkipped: { readonly [source: string]: (name: string) => boolean } = {
  mdns_minimal: name => !/(?:^|\.)local$/.test(name),
  mdns4_minimal: name => !/(?:^|\.)local$/.test(name),
  mdns6_minimal: name => !/(?:^|\.)local$/.test(name),
  // It resolves this machine's name, and names of one label such as _gateway.
  myhostname: name => name.includes(".") && name !== hostname().toLowerCase(),
};

/**
 * Parses the `hosts` line. Its sources may be `files` and `dns`, with actions, and some for special names only. All others
 * (`resolve`, `sss`, `mdns`, `wins`, `libvirt`, …) are modules that only the system can load: then the result is undefined.
 */
export function parseNsswitch(text: string): SourcesOf {
  const lines = text.split("\n").map(line => line.replace(/#.*$/s, "").trim());
  const specification = lines.flatMap(line => /^hosts[ \t]*:(.*)$/i.exec(line)?.[1] ?? []).at(-1);
  if (specification === undefined) return () => defaultSources;
  const known: NameSource[] = [];
  const special: ((name: string) => boolean)[] = [];
  for (const [, source = "", actions = ""] of specification.matchAll(/([^\s[\]]+)(?:\s*\[([^\]]*)\])?/g)) {
    const skipped = Object.hasOwn(isSkipped, source) ? isSkipped[source] : undefined;
    const ends = endingsOf(actions);
    if (skipped) special.push(skipped);
    else if ((source === "files" || source === "dns") && ends) known.push({ source, ...ends });
    else return () => undefined;
  }
  return name => (special.every(skipped => skipped(name)) ? known : undefined);
}

/** Parses `NOTFOUND=return !UNAVAIL=return`; undefined if success does not end the search, which is not supported. */
function endingsOf(actions: string): Omit<NameSource, "source"> | undefined {
  let [endsWhenUnknown, endsWhenFailing] = [false, false];
  for (const action of actions.toLowerCase().split(/\s+/)) {
    if (action === "") continue;
    const [, not, status = "", what] =
      /^(!?)(success|notfound|unavail|tryagain)=(return|continue)$/.exec(action) ?? [];
    if (what === undefined) return undefined;
    const applies = (one: string): boolean => (one === status) === (not === "");
    if (applies("success") && what !== "return") return undefined;
    if (applies("notfound")) endsWhenUnknown = what === "return";
    if (applies("tryagain")) endsWhenFailing = what === "return";
  }
  return { endsWhenUnknown, endsWhenFailing };
}
