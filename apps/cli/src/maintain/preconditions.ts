import type { EndpointView, Status } from "@gw/admin";
import { createLimiter, GatewayError, messageOf } from "@gw/interface";
import type { AdminClient } from "../admin/client.js";

/** How many endpoints are checked at the same time; the server allows eight. */
const concurrency = 4;
/** How many reasons an error has. */
const maxReasons = 3;

/**
 * Whether the cluster can do without an endpoint for a while.
 *
 * @returns what makes it so, as a clause
 * @throws {GatewayError} `refused` if another endpoint is not healthy, or the rest has no quorum
 */
export async function canDoWithout(
  client: AdminClient,
  endpoint: string,
  signal: AbortSignal,
): Promise<string> {
  const others = othersOf(await client.status({ signal }), endpoint);
  if (others.length === 0) throw new GatewayError("refused", `${endpoint} is the only endpoint`);
  refuse(others.flatMap(notUp));
  const limited = createLimiter({ limit: concurrency });
  refuse(
    (await Promise.all(others.map(other => limited(() => unhealthy(client, other.endpoint, signal))))).flat(),
  );
  // The checks have brought facts that are newer.
  return quorumWithout(await client.status({ signal }), endpoint);
}

/**
 * The same without checks: whether another endpoint has ceased to be up.
 *
 * @throws {GatewayError} `refused`
 */
export async function othersAreUp(client: AdminClient, endpoint: string, signal: AbortSignal): Promise<void> {
  refuse(othersOf(await client.status({ signal }), endpoint).flatMap(notUp));
}

function othersOf({ endpoints }: Status, name: string): readonly EndpointView[] {
  return endpoints.filter(
    ({ endpoint, state }) => endpoint !== name && state !== "foreign" && state !== "draining",
  );
}

function notUp({ endpoint, state, hold, reason }: EndpointView): readonly string[] {
  if (state === "up") return [];
  if (state === "held") return [`${endpoint} is ${hold === "down" ? "marked down" : "drained"}`];
  return [`${endpoint} is ${state}${reason === undefined ? "" : `: ${reason}`}`];
}

async function unhealthy(
  client: AdminClient,
  endpoint: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    const { healthy, reason = "no reason given" } = await client.action("check", { endpoint }, { signal });
    return healthy === true ? [] : [`${endpoint} is unhealthy: ${reason}`];
  } catch (error) {
    if (signal.aborted) throw error;
    const why = error instanceof GatewayError ? error.detail : messageOf(error);
    return [`${endpoint} cannot be checked: ${why}`];
  }
}

function refuse(reasons: readonly string[]): void {
  if (reasons.length === 0) return;
  const more = reasons.length > maxReasons ? `; and ${reasons.length - maxReasons} more` : "";
  throw new GatewayError(
    "refused",
    `${reasons.slice(0, maxReasons).join("; ")}${more} (--force maintains it all the same)`,
  );
}

/**
 * Whether the voting members among the other endpoints, which are healthy, are a majority of all that the gateway knows. A
 * member with several endpoints counts once; members that are no endpoints of the gateway do not count; an endpoint that has not said which member it is counts as one that votes.
 */
function quorumWithout(status: Status, endpoint: string): string {
  const all = [...othersOf(status, endpoint), ...status.endpoints.filter(one => one.endpoint === endpoint)];
  const own = memberOf(all.find(one => one.endpoint === endpoint)) ?? endpoint;
  const voters = new Set(
    all.filter(one => one.facts?.isLearner !== true).map(one => memberOf(one) ?? one.endpoint),
  );
  const rest = voters.has(own) ? voters.size - 1 : voters.size;
  const majority = Math.floor(voters.size / 2) + 1;
  const known = `the ${voters.size} voting members that the gateway knows`;
  if (rest < majority) refuse([`without it ${rest} of ${known} are left, and a majority is ${majority}`]);
  const guessed = all.some(one => memberOf(one) === undefined) ? ", counted by endpoints" : "";
  return `${rest} of ${known} are left, a majority is ${majority}${guessed}`;
}

function memberOf(view: EndpointView | undefined): string | undefined {
  return view?.facts?.memberId;
}
