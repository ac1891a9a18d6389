import { hostname } from "node:os";
import { changingFile } from "./changing-file.js";

/** A source of addresses that we can ask ourselves, and whether the search ends with it. */
export interface NameSource {
  readonly source: "files" | "dns";
  /** When it does not know the name, the next is not asked. */
  readonly endsWhenUnknown: boolean;
  /** When it cannot tell (no server answers), the next is not asked. */
  readonly endsWhenFailing: boolean;
}

/** What holds without a file, or without a line about hosts in it. */
const usual: readonly NameSource[] = [
  { source: "files", endsWhenUnknown: false, endsWhenFailing: false },
  { source: "dns", endsWhenUnknown: false, endsWhenFailing: false },
];

/** What says how names are looked up: the sources, or undefined where only the system itself can do it. */
export type SourcesOf = (name: string) => readonly NameSource[] | undefined;

const maxBytes = 1024 * 1024;

/** Follows the file of the name service switch, nsswitch.conf(5). */
export function followNsswitch(
  path = "/etc/nsswitch.conf",
): (name: string) => Promise<readonly NameSource[] | undefined> {
  const read = changingFile(path, maxBytes, parseNsswitch);
  return async name => {
    const sourcesOf = await read();
    return sourcesOf ? sourcesOf(name) : usual;
  };
}

/** Sources that know some names only; other names pass them by. Whether `name` passes: */
const passes: { readonly [source: string]: (name: string) => boolean } = {
  mdns_minimal: name => !/(?:^|\.)local$/.test(name),
  mdns4_minimal: name => !/(?:^|\.)local$/.test(name),
  mdns6_minimal: name => !/(?:^|\.)local$/.test(name),
  // This machine's own name, and names of one label such as _gateway.
  myhostname: name => name.includes(".") && name !== hostname().toLowerCase(),
};

/**
 * Reads the line about hosts. Its sources may be `files` and `dns`, with actions, and some that know special names
 * only, where others pass them by. Everything else (`resolve`, `sss`, `mdns`, `wins`, `libvirt`, …) is a module that
 * only the system can load: then there are no sources.
 */
export function parseNsswitch(text: string): SourcesOf {
  const lines = text.split("\n").map(line => line.replace(/#.*$/s, "").trim());
  const specification = lines.flatMap(line => /^hosts[ \t]*:(.*)$/i.exec(line)?.[1] ?? []).at(-1);
  if (specification === undefined) return () => usual;
  const known: NameSource[] = [];
  const special: ((name: string) => boolean)[] = [];
  for (const [, source = "", actions = ""] of specification.matchAll(/([^\s[\]]+)(?:\s*\[([^\]]*)\])?/g)) {
    const pass = Object.hasOwn(passes, source) ? passes[source] : undefined;
    const ends = endingsOf(actions);
    if (pass) special.push(pass);
    else if ((source === "files" || source === "dns") && ends) known.push({ source, ...ends });
    else return () => undefined;
  }
  return name => (special.every(pass => pass(name)) ? known : undefined);
}

/** `NOTFOUND=return !UNAVAIL=return`; undefined where success does not end the search, which we cannot do. */
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
