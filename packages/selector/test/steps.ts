import type { Endpoint, GatewayError, Verdict } from "@gw/interface";
import fc from "fast-check";
import { endpoint, noDescriptors, refused, timedOut } from "./support.js";

/** All endpoints that there may be. */
export const hosts = ["a", "b", "c", "d", "e"];
/** Something that happens to a pool. */
export type Step =
  | {
      readonly do: "acquire";
      readonly tried: readonly string[];
      readonly choice: number;
      readonly prompt: boolean;
    }
  | { readonly do: "connect" | "release"; readonly lease: number }
  | { readonly do: "fail"; readonly lease: number; readonly error: GatewayError }
  | { readonly do: "update"; readonly endpoints: readonly Endpoint[] }
  | {
      readonly do: "report";
      readonly host: string;
      readonly verdict: Verdict;
      readonly anotherIsHealthy: boolean;
    }
  | { readonly do: "advance"; readonly ms: number; readonly up: readonly string[] };

/** Any of the last leases, ended ones among them: what comes after the end must change nothing. */
const lease = fc.nat(7);
const subset = fc.subarray(hosts);
const verdict: fc.Arbitrary<Verdict> = fc
  .record(
    {
      check: fc.constantFrom("tcp", "etcd /health"),
      scope: fc.constantFrom("endpoint", "cluster"),
      error: fc.constantFrom(refused, timedOut),
      connectable: fc.boolean(),
    },
    { requiredKeys: ["check", "scope"], noNullPrototype: true },
  )
  // A connection that was refused was not accepted.
  .map(one => (one.error === refused ? { ...one, connectable: false } : one));
export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 11,
    arbitrary: fc.record({
      do: fc.constant("acquire" as const),
      tried: fc.oneof(fc.constant([]), subset),
      choice: fc.nat(9),
      prompt: fc.boolean(),
    }),
  },
  { weight: 7, arbitrary: fc.record({ do: fc.constantFrom("connect" as const, "release" as const), lease }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("fail" as const),
      lease,
      error: fc.constantFrom(refused, timedOut, noDescriptors),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("update" as const),
      endpoints: fc
        .tuple(fc.shuffledSubarray(hosts), fc.array(fc.nat(1), { minLength: 5, maxLength: 5 }))
        .map(([some, priorities]) =>
          some.map((host, index) => endpoint(host, { priority: priorities[index] ?? 0 })),
        ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("report" as const),
      host: fc.constantFrom(...hosts),
      verdict,
      anotherIsHealthy: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("advance" as const),
      ms: fc.constantFrom(1, 400, 1_000, 2_500),
      up: subset,
    }),
  },
);
