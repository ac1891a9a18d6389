import type { EndpointView } from "@gw/admin";
import { GatewayError } from "@gw/interface";
import { type AdminClient, createAdminClient } from "../admin/client.js";
import { actionTarget, endpointName } from "../admin/named-endpoint.js";
import type { AdminAddress } from "../flags/admin.js";
import { formatDuration } from "../flags/duration.js";
import { printError, printNotice } from "../output/stdio.js";
import { ExitCode } from "../process/exit-code.js";
import { connectionsEnd, connectionsOf, count, isHeld } from "./hold.js";
import { type Interruptions, interruptions, terminalInterrupts } from "./interruptions.js";
import { canDoWithout, othersAreUp } from "./preconditions.js";
import { codeOf, runCommand } from "./run-command.js";
import { detailOf, takeBack, whyReleased } from "./take-back.js";

/** How often an endpoint is drained that does not stay so. */
const maxHolds = 2;

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
 * @throws {ExitCode} the exit code of the command, or 1 if the endpoint could not be taken back, or does not stay drained
 * @throws {GatewayError} if the endpoint must not be maintained now, or is held already
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
    const { signal } = stop;
    const ask = async (): Promise<EndpointView> =>
      actionTarget(await client.status({ signal }), endpoint, client);
    let target = await ask();
    if (!options.force) {
      refuseHeld(target);
      printNotice(await canDoWithout(client, endpoint, signal));
      // The checks take a while.
      target = await ask();
      refuseHeld(target);
    }
    const task = { client, endpoint, words, options, signals, stop: signal };
    throw new ExitCode(target.state === "held" ? await runHeld(task) : await runDrained(task));
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

/** Whoever holds the endpoint may take it back while the command runs. @throws {GatewayError} `refused` */
function refuseHeld({ endpoint, state, hold }: EndpointView): void {
  if (state !== "held") return;
  throw new GatewayError(
    "refused",
    `${endpoint} is ${hold === "down" ? "marked down" : "drained"} already, by another gw maintain or an operator; gw undrain ${endpoint} takes it back; --force to run the command all the same`,
  );
}

/** With `--force`: the endpoint was held before, and stays so. */
async function runHeld(task: Task): Promise<number> {
  const { endpoint } = task;
  printNotice(`${endpoint} was drained before, and stays so: gw undrain ${endpoint} takes it back`);
  await waitForConnections(task);
  if (!(await isHeld(task.client, endpoint, task.stop)))
    throw new GatewayError("refused", `${endpoint} is not drained any more: ${whyReleased}`);
  return task.stop.aborted ? codeOf(task.signals.first ?? "SIGTERM") : run(task);
}

async function runDrained(task: Task): Promise<number> {
  const { stop, signals } = task;
  let ran = false;
  let code = 1;
  try {
    await holdWithoutConnections(task);
    ran = !stop.aborted;
    code = ran ? await run(task) : codeOf(signals.first ?? "SIGTERM");
  } catch (error) {
    // It is not held.
    if (error instanceof Refused) throw error.reason;
    if (!stop.aborted) printError(detailOf(error));
    else code = codeOf(signals.first ?? "SIGTERM");
  }
  return (await takeBack({ ...task, ran, timeoutMs: task.options.recoverTimeoutMs })) ? code : 1;
}

/**
 * Holds the endpoint until it has no connections, and once more if it is not held any more then.
 *
 * @throws {GatewayError} `refused` if it is not held after that
 */
async function holdWithoutConnections(task: Task): Promise<void> {
  const { client, endpoint, options, stop } = task;
  for (let attempt = 1; ; attempt++) {
    await hold(task);
    // Another `gw maintain` may have done the same for another endpoint meanwhile.
    if (!options.force) await othersAreUp(client, endpoint, stop);
    await waitForConnections(task);
    if (stop.aborted || (await isHeld(client, endpoint, stop))) return;
    if (attempt === maxHolds)
      throw new GatewayError("refused", `${endpoint} does not stay drained: ${whyReleased}`);
    printNotice(`${endpoint} is not drained any more: ${whyReleased}; draining it again`);
  }
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
