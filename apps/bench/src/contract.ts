/**
 * The words of the benchmark: subjects are measured, in cases, and each sample yields figures.
 *
 * @packageDocumentation
 */
import type { Load } from "./load.js";
import type { Scale } from "./scale.js";

/** What is measured: a program that passes TCP connections on, or nothing at all (`direct`). */
export interface Subject {
  /** As options name it. */
  readonly name: string;
  /** As tables and charts name it. */
  readonly title: string;
  /** How it is set up, where that is a choice; one sentence for readers of the figures. */
  readonly setUp?: string;
  /** The measures that it takes part in. @default all */
  readonly measures?: readonly string[];
  /** Left out unless it is named, or unless those named here are all absent. */
  readonly standsInFor?: readonly string[];
  /** The version that is installed; rejects with the reason where it is not. */
  version(): Promise<string>;
  /** The program that passes on from `route.listen` to `route.backend`; undefined where there is none. */
  command(route: Route): Promise<readonly string[]> | readonly string[] | undefined;
}

/** Where a subject stands. Both are `host:port`. */
interface Route {
  readonly listen: string;
  readonly backend: string;
  /** A folder of the subject's own, which is removed when it has ended. */
  readonly folder: string;
}

/** What a figure is. */
export interface Figure {
  readonly key: string;
  readonly title: string;
  readonly unit: string;
  /** Which is good. */
  readonly better: "more" | "less";
}

/** One sample: numbers by the key of their figure. */
export type Figures = { readonly [key: string]: number };

/** One thing that is measured, in one file of `measures/`. */
export interface Measure {
  /** As `--only` names it. */
  readonly name: string;
  readonly title: string;
  /** How it is measured, for readers of the figures. */
  readonly how: string;
  readonly figures: readonly Figure[];
  /** No more rounds than these, where samples take long and hardly differ. @default as many as asked for */
  readonly mostRounds?: number;
  /** Left out unless it is named. */
  readonly onRequest?: boolean;
  /** Programs on the PATH without which it is left out. */
  readonly needs?: readonly string[];
  /** Measured in place of the proxies. */
  readonly subjects?: readonly Subject[];
  /** Takes one sample of each case of one subject, which it starts and ends. */
  run(subject: Subject, bench: Bench): Promise<void>;
}

/** What a measure works with. */
export interface Bench {
  readonly load: Load;
  readonly scale: Scale;
  /**
   * Takes the sample of one case and keeps it. One that fails is kept as failed, with the reason; the next
   * case may still be measured.
   */
  sample(title: string, take: () => Promise<Figures>): Promise<void>;
}
