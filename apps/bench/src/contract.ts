/**
 * The types of the benchmark: subjects are measured, in cases, and each sample yields figures.
 *
 * @packageDocumentation
 */
import type { Load } from "./load.js";
import type { Scale } from "./scale.js";

/** What is measured: a program that forwards TCP connections, or no program (`direct`). */
export interface Subject {
  /** Its name in options. */
  readonly name: string;
  /** Its name in tables and charts. */
  readonly title: string;
  /** Whether its release, such as 3.0, is added to the title: several versions of it may run. */
  readonly titledByRelease?: boolean;
  /** How it is set up, where there is a choice; one sentence for readers of the figures. */
  readonly setUp?: string;
  /** The measures that it takes part in. @default all */
  readonly measures?: readonly string[];
  /** Left out unless it is named, or unless those named here are all absent. */
  readonly standsInFor?: readonly string[];
  /** The file, in `route.folder`, of the Unix socket whose `/metrics` is read once a second. @default none */
  readonly metricsSocket?: string;
  /** The installed version. Rejects with the reason if it is not installed. */
  version(): Promise<string>;
  /** The command that forwards from `route.listen` to `route.backends`; undefined for `direct`. */
  command(route: Route): Promise<readonly string[]> | readonly string[] | undefined;
}

/** What a subject is to do. Addresses are written as `host:port`. */
export interface Route {
  readonly listen: string;
  /** Subjects that know only one use the first. */
  readonly backends: readonly [string, ...string[]];
  /**
   * Whether connections go to the backends in turn, without health checks: the backend of the load program answers none.
   * @default what the subject does by itself
   */
  readonly inTurn?: boolean;
  /** How many threads relay. @default what the subject has by itself */
  readonly threads?: number | undefined;
  /** A folder for the subject, which is removed when it has ended. */
  readonly folder: string;
}

/** A figure that a measure yields. */
export interface Figure {
  readonly key: string;
  readonly title: string;
  readonly unit: string;
  /** Whether more or less is better. */
  readonly better: "more" | "less";
}

/** One sample: numbers by the key of their figure. */
export type Figures = { readonly [key: string]: number };

/** One thing that is measured, in one file of `measures/`. */
export interface Measure {
  /** Its name in `--only`. */
  readonly name: string;
  readonly title: string;
  /** How it is measured, for readers of the figures. */
  readonly how: string;
  readonly figures: readonly Figure[];
  /** The most rounds, where samples take long and hardly differ. @default all rounds */
  readonly maxRounds?: number;
  /** Left out unless it is named. */
  readonly onRequestOnly?: boolean;
  /** Programs on the PATH without which it is left out. */
  readonly needs?: readonly string[];
  /** Measured in place of the proxies. */
  readonly subjects?: readonly Subject[];
  /** Names of the proxies that take part. @default all */
  readonly among?: readonly string[];
  /** Names of subjects; ratios refer to the first of them that runs. @default etcd gateway */
  readonly references?: readonly string[];
  /** Whether there is a table for each figure with a line for each case, instead of the other way round. */
  readonly linePerCase?: boolean;
  /** Takes one sample of each case of one subject, which it starts and ends. */
  run(subject: Subject, bench: MeasureContext): Promise<void>;
}

/** What a measure gets to work with. */
export interface MeasureContext {
  readonly load: Load;
  readonly scale: Scale;
  /**
   * Takes and records the sample of one case. If it fails, the reason is recorded, and the next case may still be
   * measured.
   */
  sample(title: string, take: () => Promise<Figures>): Promise<void>;
}
