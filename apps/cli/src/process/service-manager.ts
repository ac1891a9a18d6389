import { spawn } from "node:child_process";
import { messageOf } from "@gw/interface";

/** Notifications of a service manager, sd_notify(3). */
export interface ServiceManager {
  /** Start-up is over, or a reload. */
  ready(status: string): void;
  /** Configuration is read again; {@link ready} follows. */
  reloading(): void;
  stopping(status: string): void;
}

/** The longest that a timer of Node waits, in milliseconds. */
const longestMs = 2 ** 31 - 1;

/**
 * Notifies the service manager that started this process, if it set `NOTIFY_SOCKET`; else it does nothing. If it set
 * `WATCHDOG_USEC`, it is notified twice in each interval as long as the event loop runs.
 *
 * Removes the variables from `environment`: they are not for the processes that this one starts. Nothing waits for a
 * notification.
 *
 * @param onFailure called when it cannot be notified, once for each reason
 */
export function serviceManager(
  environment: NodeJS.ProcessEnv,
  onFailure: (why: string) => void,
): ServiceManager {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: watchdog, WATCHDOG_PID: watched } = environment;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete environment[name];
  if (!socket) return { ready() {}, reloading() {}, stopping() {} };
  let reported = "";
  const failed = (why: string): void => {
    if (why !== reported) onFailure(why);
    reported = why;
  };
  // One after the other: the newest one counts.
  let last: Promise<void> = Promise.resolve();
  const notify = (...lines: readonly string[]): void => {
    last = last.then(() => send(socket, lines)).catch(error => failed(messageOf(error)));
  };
  const everyMs = watchdogMs(watchdog, watched) / 2;
  if (everyMs < Infinity) setInterval(() => notify("WATCHDOG=1"), everyMs).unref();
  return {
    ready: status => notify("READY=1", `STATUS=${status}`),
    reloading: () => notify("RELOADING=1", `MONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`),
    stopping: status => notify("STOPPING=1", `STATUS=${status}`),
  };
}

/** The interval of the watchdog of this process, sd_watchdog_enabled(3), in milliseconds; Infinity without one. */
function watchdogMs(usec: string | undefined, pid: string | undefined): number {
  const ms = Number(usec) / 1_000;
  const isOurs = pid === undefined || pid === "" || Number(pid) === process.pid;
  return isOurs && ms >= 1 && ms <= longestMs ? ms : Infinity;
}

async function send(socket: string, lines: readonly string[]): Promise<void> {
  try {
    const { notifyService } = await import("@gw/splice");
    notifyService(socket, lines.join("\n"));
  } catch (error) {
    // The program fails with an exit status only, so the message has the first reason, too.
    await sendByProgram(socket, lines).catch(cause => {
      throw new Error(`${messageOf(error)}; ${messageOf(cause)}`);
    });
  }
}

/**
 * Node has no datagram Unix sockets; where the native addon cannot be used, `systemd-notify` speaks in our name, for which
 * the unit needs `NotifyAccess=all`. It gets only the variables that it needs.
 */
function sendByProgram(socket: string, lines: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const program = spawn("systemd-notify", [`--pid=${process.pid}`, ...lines], {
      stdio: "ignore",
      env: { NOTIFY_SOCKET: socket, PATH: process.env["PATH"] },
      timeout: 5_000,
    });
    program.on("error", reject);
    program.on("exit", (status, signal) => {
      if (status === 0) resolve();
      else reject(new Error(`systemd-notify ended with ${signal ?? `status ${status}`}`));
    });
    program.unref();
  });
}
