import { aborted, GatewayError, messageOf, sleep, systemClock } from "@gw/interface";
import { type AdminClient, createAdminClient } from "../admin/client.js";
import { actionTarget, endpointName } from "../admin/named-endpoint.js";
import type { AdminAddress } from "../flags/admin.js";
import { formatDuration } from "../flags/duration.js";
import { printError, printNotice } from "../output/stdio.js";
import { ExitCode } from "../process/exit-code.js";
import { connectionsEnd, connectionsOf, count } from "./hold.js";
import { type Interruptions, interruptions, terminalInterrupts } from "./interruptions.js";
import { canDoWithout, othersAreUp } from "./preconditions.js";
import { codeOf, runCommand } from "./run-command.js";

/** How often an endpoint is checked that is to become healthy, and a failed take-back is tried again, in milliseconds. */
const recheckMs = 1_000;
/** A SIGINT this soon after the end of the command was meant for the command, in milliseconds. */
const sameInterruptMs = 500;

/** Options of {@link maintain}. */
export interface MaintainOptions {
  readonly adminAddr?: AdminAddress;
  readonly force: boolean;
  readonly drainTimeoutMs: number;
  readonly recoverTimeoutMs: number;
}

/**
 * `gw maintain`: runs a command while an endpoint has no connections of this gateway. Whatever happens to the command and to
 * this process, short of SIGKILL, the endpoint is taken back when it is healthy.
 *
 * @throws {ExitCode} the exit code of the command, or 1 if the endpoint could not be taken back
 * @throws {GatewayError} if the endpoint must not be maintained now
 */
export async function maintain(
  text: string,
  words: readonly string[],
  options: MaintainOptions,
): Promise<void> {
  const client = createAdminClient(options.adminAddr);
  const endpoint = endpointName(text);
  const signals = interruptions();
  const stop = new AbortController();
  signals.handle(() => stop.abort());
  try {
    const target = actionTarget(await client.status({ signal: stop.signal }), endpoint, client);
    if (!options.force) printNotice(await canDoWithout(client, endpoint, stop.signal));
    const held = target.state === "held";
    const task = { client, endpoint, words, options, signals, stop: stop.signal };
    const code = held ? await runHeld(task) : await runDrained(task);
    throw new ExitCode(code);
  } catch (error) {
    if (signals.first !== undefined && !(error instanceof ExitCode))
      throw new ExitCode(codeOf(signals.first));
    throw error;
  } finally {
    signals.dispose();
  }
}

interface Task {
  readonly client: AdminClient;
  readonly endpoint: string;
  readonly words: readonly string[];
  readonly options: MaintainOptions;
  readonly signals: Interruptions;
  /** Aborted by the first signal before the command runs. */
  readonly stop: AbortSignal;
}

/** The endpoint was held before, and stays so. */
async function runHeld(task: Task): Promise<number> {
  const { endpoint } = task;
  printNotice(`${endpoint} was drained before, and stays so: gw undrain ${endpoint} takes it back`);
  await waitForConnections(task);
  return task.stop.aborted ? codeOf(task.signals.first ?? "SIGTERM") : run(task);
}

async function runDrained(task: Task): Promise<number> {
  const { client, endpoint, options, stop, signals } = task;
  let ran = false;
  let code = 1;
  try {
    await hold(task);
    // Another `gw maintain` may have done the same for another endpoint meanwhile.
    if (!options.force) await othersAreUp(client, endpoint, stop);
    await waitForConnections(task);
    ran = !stop.aborted;
    code = ran ? await run(task) : codeOf(signals.first ?? "SIGTERM");
  } catch (error) {
    // It is not held.
    if (error instanceof Refused) throw error.reason;
    if (!stop.aborted) printError(detailOf(error));
    else code = codeOf(signals.first ?? "SIGTERM");
  }
  return (await takeBack(task, ran)) ? code : 1;
}

/** The gateway has refused to hold the endpoint. After other errors it may be held. */
class Refused extends Error {
  readonly reason: GatewayError;

  constructor(reason: GatewayError) {
    super(reason.detail);
    this.reason = reason;
  }
}

/** Not cancelled by a signal: whether it was done would not be known. */
async function hold({ client, endpoint, options }: Task): Promise<void> {
  try {
    await client.action("drain", { endpoint, ...(options.force && { force: "true" }) });
  } catch (error) {
    if (error instanceof GatewayError && (error.code === "refused" || error.code === "not-permitted"))
      throw new Refused(error);
    throw error;
  }
}

async function waitForConnections({ client, endpoint, options, stop }: Task): Promise<void> {
  const { drainTimeoutMs } = options;
  const open = await connectionsOf(client, endpoint, stop);
  printNotice(`${endpoint} is drained; ${open > 0 ? `waiting for ${count(open)} to end` : "no connections"}`);
  if (open === 0) return;
  const left = await connectionsEnd(client, endpoint, { timeoutMs: drainTimeoutMs, signal: stop });
  if (stop.aborted) return;
  printNotice(
    left === 0
      ? `${endpoint} has no connections any more`
      : `${endpoint} still has ${count(left)} after ${formatDuration(drainTimeoutMs)}; going on`,
  );
}

async function run({ endpoint, words, signals }: Task): Promise<number> {
  printNotice(`running ${words.join(" ")}`);
  const command = runCommand(words, { GW_ENDPOINT: endpoint });
  // A terminal sends SIGINT to all its programs; to forward it as well would send it twice.
  const once = terminalInterrupts();
  signals.handle(signal => {
    if (signal !== "SIGINT" || !once) command.signal(signal);
  });
  const code = await command.exit;
  printNotice(`the command has ended with exit code ${code}`);
  return code;
}

/** @returns whether it was taken back; if not, it has said so */
async function takeBack(task: Task, ran: boolean): Promise<boolean> {
  const { client, endpoint, options, signals } = task;
  const began = performance.now();
  const end = new AbortController();
  signals.handle(signal => {
    // Nobody may be at the terminal any more; the wait is bounded.
    if (signal === "SIGHUP" || performance.now() - began < sameInterruptMs) return;
    end.abort();
  });
  const deadline = systemClock.after(options.recoverTimeoutMs, () => end.abort());
  let reason = "";
  for (let waited = false; ; waited = true) {
    reason =
      (ran ? await unhealthy(client, endpoint, end.signal) : undefined) ?? (await undrained(task)) ?? "";
    if (reason === "") break;
    if (!waited) printNotice(`waiting to take ${endpoint} back: ${reason}`);
    if (!end.signal.aborted) await sleep(recheckMs, systemClock, end.signal);
    if (end.signal.aborted) break;
  }
  deadline();
  if (reason === "") {
    printNotice(`${endpoint} is ${ran ? "healthy and " : ""}taken back`);
    return true;
  }
  printError(
    `${endpoint} was not taken back: ${reason}; when it is healthy, run: gw undrain --admin-addr=${client.name} ${endpoint}`,
  );
  return false;
}

/** Why an endpoint could not be taken back; undefined where it was. */
async function undrained({ client, endpoint }: Task): Promise<string | undefined> {
  try {
    await client.action("undrain", { endpoint });
    return undefined;
  } catch (error) {
    return detailOf(error);
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

function detailOf(error: unknown): string {
  return error instanceof GatewayError ? error.detail : messageOf(error);
}
