import { type Address, GatewayError } from "@gw/interface";
import { httpGet } from "./http-get.js";
import { wait } from "./wait.js";

/** How long an answer may take, in milliseconds. */
const silenceMs = 5_000;

/**
 * Sends a small request through the gateway at `address` each `paceMs`, each on a new connection, until
 * `signal` is aborted. Says when answers fail to come and when they come again.
 */
export async function sendRequests(
  address: Address,
  paceMs: number,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let failing = false;
  do {
    const why = await failure(address, signal);
    if (signal.aborted) return;
    if (why !== undefined && !failing) say(`a request got no answer: ${why}`);
    if (why === undefined && failing) say("requests are answered again");
    failing = why !== undefined;
  } while (await wait(paceMs, signal));
}

async function failure(address: Address, signal: AbortSignal): Promise<string | undefined> {
  try {
    await httpGet(address, "/version", { silenceMs, signal });
    return undefined;
  } catch (error) {
    return GatewayError.from(error, "get /version").detail;
  }
}
