import type { Endpoint } from "@gw/interface";
import { expect, test } from "vitest";
import {
  type DiscoveryComplianceOptions,
  discoveryCompliance,
} from "../src/discovery/discovery-compliance.js";
import { failuresOf } from "./failures.js";

export type EndpointSet = readonly Endpoint[];

export function endpoint(host: string, rest: Partial<Endpoint> = {}): Endpoint {
  return Object.freeze({ host, port: 2379, priority: 0, weight: 0, ...rest });
}

export function setOf(...endpoints: readonly Endpoint[]): EndpointSet {
  return Object.freeze([...endpoints]);
}

export const initial: EndpointSet = setOf(endpoint("a"), endpoint("b", { secure: true }));

/** What the discoveries of these tests watch. */
export interface Source {
  readonly set: EndpointSet;
  /** Resolves with the next change. */
  changed(): Promise<void>;
}

/** A discovery whose watches are those of `watch`, over a source to which each change adds an endpoint. */
export function changing(
  watch: (source: Source, signal: AbortSignal) => AsyncIterable<EndpointSet>,
): DiscoveryComplianceOptions {
  let set = initial;
  let waiting: (() => void)[] = [];
  return {
    make() {
      set = initial;
      waiting = [];
      const source: Source = {
        get set() {
          return set;
        },
        changed: () => new Promise(resolve => waiting.push(resolve)),
      };
      return { watch: ({ signal }) => watch(source, signal) };
    },
    change() {
      set = setOf(...set, endpoint(`added-${set.length}`));
      for (const resolve of waiting.splice(0)) resolve();
    },
    endpoints: initial,
  };
}

/** A discovery whose watches are those of `watch`, and that never changes. */
export function fixed(
  watch: (signal: AbortSignal) => AsyncIterable<EndpointSet>,
): DiscoveryComplianceOptions {
  return { make: () => ({ watch: ({ signal }) => watch(signal) }) };
}

/** Resolves when `signal` is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** The watch of a correct discovery. */
export async function* follow(source: Source, signal: AbortSignal): AsyncGenerator<EndpointSet> {
  for (let last: EndpointSet | undefined; !signal.aborted; ) {
    if (last === source.set) await Promise.race([source.changed(), aborted(signal)]);
    else {
      last = source.set;
      yield last;
    }
  }
}

/** Discoveries that the suite must catch by the case that is named for their fault. */
export interface BrokenDiscoveries {
  readonly [fault: string]: {
    readonly options: DiscoveryComplianceOptions;
    readonly fails: string;
    /** What the message of that case must match. */
    readonly message: RegExp;
  };
}

export function testThatAreCaught(broken: BrokenDiscoveries): void {
  test.each(Object.entries(broken))("catches a discovery that %s", async (_, { options, fails, message }) => {
    // Those that hang do so for ever, so a short limit is enough.
    const failures = await failuresOf(discoveryCompliance({ limitMs: 50, ...options }));
    expect([...failures.keys()]).toContain(fails);
    expect(failures.get(fails)).toMatch(message);
  });
}
