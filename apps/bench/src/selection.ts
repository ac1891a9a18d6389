import { findProgram } from "@gw/testing";
import type { Measure, Subject } from "./contract.js";
import type { Load } from "./load.js";
import type { Options } from "./options.js";
import type { Results, SubjectEntry } from "./results.js";
import { startSubject } from "./running-subject.js";

/** What is measured, and what is left out. */
export interface Selection {
  readonly measures: readonly Measure[];
  readonly subjects: readonly Subject[];
  readonly entries: readonly SubjectEntry[];
  readonly leftOut: Results["leftOut"];
}

/** The names that the user gave; undefined for the default. */
type Wanted = Pick<Options, "only" | "also" | "subjects">;

/** Selects what the user asked for. Leaves out what is not installed or does not start, with the reason. */
export async function select(
  all: { readonly measures: readonly Measure[]; readonly subjects: readonly Subject[] },
  wanted: Wanted,
  load: Load,
): Promise<Selection> {
  const leftOut: { name: string; why: string }[] = [];
  const measures: Measure[] = [];
  for (const measure of named(all.measures, wanted.only, measure => !measure.onRequestOnly, wanted.also)) {
    const absent = measure.needs?.filter(program => !findProgram(program)) ?? [];
    if (absent.length === 0) measures.push(measure);
    else leftOut.push({ name: measure.name, why: `not installed: ${absent.join(", ")}` });
  }
  const subjects: Subject[] = [];
  const entries: SubjectEntry[] = [];
  const tryOut = async (subject: Subject): Promise<void> => {
    const { name, setUp } = subject;
    try {
      const version = await subject.version();
      const [release] = /^\d+\.\d+/.exec(version) ?? [];
      const title = subject.titledByRelease ? `${subject.title} ${release}` : subject.title;
      await using backend = await load.serve();
      await using _ = await startSubject(subject, backend);
      subjects.push({ ...subject, title });
      entries.push({ name, title, version, ...(setUp && { setUp }) });
    } catch (error) {
      leftOut.push({ name, why: error instanceof Error ? error.message : String(error) });
    }
  };
  const candidates = named(all.subjects, wanted.subjects, () => true);
  for (const subject of candidates) {
    const others = subject.standsInFor?.some(name => subjects.some(other => other.name === name));
    if (!others || wanted.subjects) await tryOut(subject);
  }
  return { measures, subjects, entries, leftOut };
}

/** Those with these names, or those that are included by default. */
function named<T extends { readonly name: string }>(
  all: readonly T[],
  names: readonly string[] | undefined,
  byDefault: (one: T) => boolean,
  also: readonly string[] = [],
): readonly T[] {
  const unknown = names?.filter(name => !all.some(one => one.name === name)) ?? [];
  if (unknown.length > 0)
    throw new Error(`unknown: ${unknown.join(", ")}; there are ${all.map(({ name }) => name).join(", ")}`);
  return all.filter(one => also.includes(one.name) || (names ? names.includes(one.name) : byDefault(one)));
}
