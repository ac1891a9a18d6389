import { aborted, GatewayError, sleep, systemClock } from "@gw/interface";
import { type AdminClient, createAdminClient } from "../admin/client.js";
import { actionTarget, endpointName } from "../admin/named-endpoint.js";
import type { AdminAddress } from "../flags/admin.js";
import { formatDuration } from "../flags/duration.js";
import { printLines } from "../output/stdio.js";
import { stopSignals } from "../process/stop-signals.js";

/** How often the connections of an endpoint are counted that are waited for, in milliseconds. */
const countEveryMs = 250;

/** Options of {@link drain}. */
export interface DrainOptions {
  readonly adminAddr?: AdminAddress;
  readonly force: boolean;
  /** Resets open connections at once. */
  readonly down: boolean;
  /** How long to wait until there are none; undefined not to wait. */
  readonly waitMs: number | undefined;
}

/** `gw drain`. @throws {GatewayError} if the gateway does not do it, or connections are left after the time to wait */
export async function drain(text: string, { adminAddr, force, down, waitMs }: DrainOptions): Promise<void> {
  const client = createAdminClient(adminAddr);
  const endpoint = endpointName(text);
  actionTarget(await client.status(), endpoint, client);
  await client.action(down ? "down" : "drain", { endpoint, ...(force && { force: "true" }) });
  const left = await connectionsOf(client, endpoint);
  printLines([
    `${endpoint} is ${down ? "marked down" : "drained"}: it gets no new connections${left > 0 ? `; ${count(left)} ${left === 1 ? "is" : "are"} open` : ""}`,
  ]);
  if (waitMs === undefined) return;
  const stop = stopSignals({ hangup: true }).drain;
  const last = await connectionsEnd(client, endpoint, { timeoutMs: waitMs, signal: stop });
  if (stop.aborted) return;
  if (last > 0)
    throw new GatewayError(
      "timed-out",
      `${endpoint} has ${count(last)} after ${formatDuration(waitMs)}; it stays ${down ? "down" : "drained"}`,
    );
  if (left > 0) printLines([`${endpoint} has no connections any more`]);
}

/** `gw undrain`. @throws {GatewayError} if the gateway does not do it; `refused` if the endpoint is not held */
export async function undrain(
  text: string,
  { adminAddr }: { readonly adminAddr?: AdminAddress },
): Promise<void> {
  const client = createAdminClient(adminAddr);
  const endpoint = endpointName(text);
  actionTarget(await client.status(), endpoint, client);
  await client.action("undrain", { endpoint });
  printLines([`${endpoint} is taken back`]);
}

/** Whether an operator holds an endpoint. One that the gateway does not know is not held. */
export async function isHeld(client: AdminClient, name: string, signal?: AbortSignal): Promise<boolean> {
  const { endpoints } = await client.status({ signal });
  return endpoints.some(({ endpoint, state }) => endpoint === name && state === "held");
}

/** `3 connections`. */
export function count(connections: number): string {
  return `${connections} ${connections === 1 ? "connection" : "connections"}`;
}

/** How many connections an endpoint has; 0 where it is no longer known. */
export async function connectionsOf(
  client: AdminClient,
  name: string,
  signal?: AbortSignal,
): Promise<number> {
  const { endpoints } = await client.status({ signal });
  return endpoints.find(({ endpoint }) => endpoint === name)?.connections ?? 0;
}

/** Waits until an endpoint has no connections, until the timeout, or until `signal` is aborted. @returns how many it has then */
export async function connectionsEnd(
  client: AdminClient,
  endpoint: string,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<number> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const left = await Promise.race([connectionsOf(client, endpoint), aborted(signal)]);
    const restMs = end - performance.now();
    if (left === undefined) return 0;
    if (left === 0 || restMs <= 0) return left;
    await sleep(Math.min(countEveryMs, restMs), systemClock, signal);
  }
}
