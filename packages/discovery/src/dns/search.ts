import { GatewayError } from "@gw/interface";
import type { Asking } from "./ask.js";

/** How many of the names that were asked for an error tells. */
const maxNamesTold = 5;

/** What a search needs to know of a result. */
interface Result {
  /** Whether the name exists (not NXDOMAIN). */
  readonly exists: boolean;
}

/**
 * Asks for the absolute names that a name may stand for, one after the other, until one has what was asked for. A
 * name that cannot be looked up does not end the search: its domain may be broken alone. When all servers were
 * silent, they are asked once for each of the other names, so that a search among many ends.
 *
 * Where no name has anything, that is believed only if all could be asked; the best result is that of a name that
 * exists.
 *
 * @throws {GatewayError} of the name that failed for the most telling reason: this machine's own trouble, then what
 *   a server said, then silence. Its detail tells about the other names too
 */
export async function search<R extends Result>(
  names: readonly string[],
  ask: (name: string, asking: Asking) => Promise<R>,
  hasSome: (result: R) => boolean,
  nextAsking: () => Asking,
): Promise<R & { readonly name: string }> {
  const results: (R & { readonly name: string })[] = [];
  const failures: Failure[] = [];
  for (const name of names) {
    const asking = nextAsking();
    const wereSilent = failures.some(({ error }) => error.code === "timed-out");
    try {
      const result = { ...(await ask(name, wereSilent ? { ...asking, attempts: 1 } : asking)), name };
      if (hasSome(result)) return result;
      results.push(result);
    } catch (error) {
      if (asking.signal?.aborted) throw asking.signal.reason;
      failures.push({ name, error: GatewayError.from(error, `look up ${name}`) });
    }
  }
  if (failures.length > 0) throw mostTelling(failures, results);
  return (results.find(({ exists }) => exists) ?? results[0]) as R & { readonly name: string };
}

interface Failure {
  readonly name: string;
  readonly error: GatewayError;
}

function mostTelling(
  failures: readonly Failure[],
  results: readonly (Result & { readonly name: string })[],
): GatewayError {
  const [first, ...rest] = [...failures].sort((one, other) => rank(one) - rank(other)) as [
    Failure,
    ...Failure[],
  ];
  const others = [
    ...rest.map(({ name, error }) => `${name} failed as well (${error.code})`),
    ...results.map(({ name, exists }) => `${name} ${exists ? "has none" : "does not exist"}`),
  ];
  if (others.length === 0) return first.error;
  const told = others.slice(0, maxNamesTold);
  if (others.length > told.length) told.push(`${others.length - told.length} other names`);
  return new GatewayError(first.error.code, [first.error.detail, ...told].join("; "), { cause: first.error });
}

function rank({ error }: Failure): number {
  if (error.isLocal) return 0;
  return error.code === "timed-out" ? 2 : 1;
}
