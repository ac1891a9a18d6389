import type { Figures, Measure, MeasureContext, Subject } from "./contract.js";
import { type Row, summarize } from "./results.js";

/** Options of {@link runRounds}. */
export interface RoundsOptions extends Pick<MeasureContext, "load" | "scale"> {
  readonly measures: readonly Measure[];
  readonly subjects: readonly Subject[];
  readonly rounds: number;
  /** Which cases are measured, by `<name of the measure>: <title of the case>`. @default all */
  readonly rows?: RegExp | undefined;
  /** Called before each sample, and with errors. */
  readonly print: (line: string) => void;
}

/**
 * Measures everything, round after round. In a round, each measure runs for all subjects, in random order, before the
 * next measure begins: other load on the machine affects all subjects alike, and none always follows the same other.
 */
export async function runRounds(plan: RoundsOptions): Promise<Row[]> {
  const taken = new Samples();
  for (let round = 1; round <= plan.rounds; round++)
    for (const measure of plan.measures) {
      if (round > (measure.maxRounds ?? plan.rounds)) continue;
      const subjects = measure.subjects ?? plan.subjects;
      const concerned = subjects.filter(
        ({ name, measures }) =>
          (measures?.includes(measure.name) ?? true) && (measure.among?.includes(name) ?? true),
      );
      for (const subject of shuffled(concerned)) {
        plan.print(`round ${round} of ${plan.rounds}: ${measure.title}, ${subject.title}`);
        const bench: MeasureContext = {
          load: plan.load,
          scale: plan.scale,
          async sample(title, take) {
            if (plan.rows?.test(`${measure.name}: ${title}`) ?? true)
              await taken.take(measure, title, subject, take);
          },
        };
        try {
          await measure.run(subject, bench);
        } catch (error) {
          // It did not start, so no case has a sample; the failure must be visible in each.
          plan.print(`${measure.title}, ${subject.title}: ${String(error)}`);
          taken.fail(measure, subject, error);
        }
      }
    }
  return taken.rows(plan);
}

/** Samples by measure, case and subject. */
class Samples {
  readonly #cases = new Map<string, string[]>();
  readonly #taken = new Map<string, Figures[]>();
  readonly #failed = new Map<string, string[]>();

  async take(measure: Measure, title: string, subject: Subject, take: () => Promise<Figures>): Promise<void> {
    const cases = listIn(this.#cases, measure.name);
    if (!cases.includes(title)) cases.push(title);
    const place = key(measure, title, subject);
    try {
      listIn(this.#taken, place).push(await take());
    } catch (error) {
      listIn(this.#failed, place).push(reason(error));
    }
  }

  fail(measure: Measure, subject: Subject, error: unknown): void {
    listIn(this.#failed, key(measure, undefined, subject)).push(reason(error));
  }

  rows({ measures, subjects }: RoundsOptions): Row[] {
    const rows: Row[] = [];
    for (const measure of measures)
      for (const title of this.#cases.get(measure.name) ?? [])
        for (const subject of measure.subjects ?? subjects) {
          const places = [key(measure, title, subject), key(measure, undefined, subject)];
          const taken = this.#taken.get(places[0] ?? "") ?? [];
          const failed = places.flatMap(place => this.#failed.get(place) ?? []);
          for (const { key: figure } of measure.figures) {
            // A figure that a subject does not have, such as the CPU time of `direct`, gets no row.
            const numbers = taken.map(figures => figures[figure] ?? Number.NaN).filter(Number.isFinite);
            const place = { measure: measure.name, case: title, subject: subject.name, figure };
            if (numbers.length + failed.length > 0) rows.push(summarize(place, numbers, failed));
          }
        }
    return rows;
  }
}

function key(measure: Measure, title: string | undefined, subject: Subject): string {
  return JSON.stringify([measure.name, title, subject.name]);
}

function listIn<T>(map: Map<string, T[]>, key: string): T[] {
  const list = map.get(key) ?? [];
  map.set(key, list);
  return list;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function shuffled<T>(items: readonly T[]): T[] {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(Math.random() * left.length), 1)[0] as T);
}
