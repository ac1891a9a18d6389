import { aborted, GatewayError, messageOf, sleep, systemClock } from "@gw/interface";
import type { AdminClient } from "../admin/client.js";
import { printError, printNotice } from "../output/stdio.js";
import { isHeld } from "./hold.js";
import type { Interruptions } from "./interruptions.js";

/** How often an endpoint is checked that is to become healthy, and a failed take-back is tried again, in milliseconds. */
const recheckMs = 1_000;
/** A SIGINT this soon after the end of the command was meant for the command, in milliseconds. */
const sameInterruptMs = 500;

/** Why an endpoint is not held that was. */
export const whyReleased = "an operator took it back, or the gateway restarted";

/** What is to be taken back, and how. */
export interface TakeBackOptions {
  readonly client: AdminClient;
  readonly endpoint: string;
  readonly signals: Interruptions;
  /** Whether the command ran: then the endpoint is taken back only when it is healthy. */
  readonly ran: boolean;
  /** How long to try, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Takes an endpoint back. One that is not held any more counts as taken back.
 *
 * @returns whether it was taken back; if not, it has said so
 */
export async function takeBack(options: TakeBackOptions): Promise<boolean> {
  const { client, endpoint, signals, timeoutMs } = options;
  const began = performance.now();
  const end = new AbortController();
  signals.handle(signal => {
    // Nobody may be at the terminal any more; the wait is bounded.
    if (signal === "SIGHUP" || performance.now() - began < sameInterruptMs) return;
    end.abort();
  });
  const stopTimer = systemClock.after(timeoutMs, () => end.abort());
  try {
    for (let waited = false; ; waited = true) {
      const { done, text } = await tryOnce(options, end.signal);
      if (done) {
        printNotice(`${endpoint} ${text}`);
        return true;
      }
      if (!waited) printNotice(`waiting to take ${endpoint} back: ${text}`);
      if (!end.signal.aborted) await sleep(recheckMs, systemClock, end.signal);
      if (!end.signal.aborted) continue;
      printError(
        `${endpoint} was not taken back: ${text}; when it is healthy, run: gw undrain --admin-addr=${client.name} ${endpoint}`,
      );
      return false;
    }
  } finally {
    stopTimer();
  }
}

/** What became of one attempt: what to say of the endpoint, or why it is not taken back. */
interface Attempt {
  readonly done: boolean;
  readonly text: string;
}

const released: Attempt = { done: true, text: `is taken back already: ${whyReleased}` };

async function tryOnce({ client, endpoint, ran }: TakeBackOptions, signal: AbortSignal): Promise<Attempt> {
  if (ran) {
    if (await isReleased(client, endpoint, signal)) return released;
    const reason = await unhealthy(client, endpoint, signal);
    if (reason !== undefined) return { done: false, text: reason };
  }
  try {
    await client.action("undrain", { endpoint });
    return { done: true, text: `is ${ran ? "healthy and " : ""}taken back` };
  } catch (error) {
    if (await isReleased(client, endpoint)) return released;
    return { done: false, text: detailOf(error) };
  }
}

/** Whether it is known that an endpoint is not held. */
async function isReleased(client: AdminClient, endpoint: string, signal?: AbortSignal): Promise<boolean> {
  try {
    return !(await isHeld(client, endpoint, signal));
  } catch {
    return false;
  }
}

/** Why an endpoint is unhealthy; undefined where it is not. What cannot be asked now may be asked later. */
async function unhealthy(
  client: AdminClient,
  endpoint: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const asked = client.action("check", { endpoint }, { signal });
    const answer = await Promise.race([asked, aborted(signal)]);
    if (answer?.healthy === true) return undefined;
    return answer?.reason ?? "it is not known to be healthy";
  } catch (error) {
    return detailOf(error);
  }
}

/** What an error says to an operator. */
export function detailOf(error: unknown): string {
  return error instanceof GatewayError ? error.detail : messageOf(error);
}
