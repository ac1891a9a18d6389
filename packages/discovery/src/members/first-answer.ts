import { type Endpoint, formatAddress, GatewayError } from "@gw/interface";
import type { MemberList } from "./cluster.js";

/**
 * What the first server says that says something of use. Those of a tier are asked in random order, before those
 * of the next.
 *
 * @throws {GatewayError} why nobody does, with the code of one
 */
export async function firstAnswer(
  tiers: readonly (readonly Endpoint[])[],
  random: () => number,
  ask: (endpoint: Endpoint) => Promise<MemberList>,
  signal: AbortSignal,
): Promise<{ readonly list: MemberList; readonly endpoint: Endpoint }> {
  const errors: GatewayError[] = [];
  for (const endpoint of tiers.flatMap(tier => shuffled(tier, random))) {
    if (signal.aborted) break;
    try {
      return { list: await ask(endpoint), endpoint };
    } catch (error) {
      errors.push(GatewayError.from(error, `ask ${formatAddress(endpoint)}`));
    }
  }
  throw summary(errors);
}

/** How many reasons a summary has room for. */
const most = 3;

/** In the order of the addresses, so that the same failure is the same text, whoever was asked first. */
function summary(errors: readonly GatewayError[]): GatewayError {
  const sorted = errors.toSorted((a, b) => (a.detail < b.detail ? -1 : 1));
  const [first] = sorted;
  if (!first) return new GatewayError("unknown", "there is nobody to ask for the members");
  const reasons = sorted.slice(0, most).map(({ detail }) => detail);
  const more = errors.length > most ? `; and ${errors.length - most} more` : "";
  return new GatewayError(first.code, `nobody tells the members: ${reasons.join("; ")}${more}`, {
    cause: first,
  });
}

/** Fisher and Yates. */
function shuffled(endpoints: readonly Endpoint[], random: () => number): readonly Endpoint[] {
  const order = [...endpoints];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j] as Endpoint, order[i] as Endpoint];
  }
  return order;
}
