import { spawn } from "node:child_process";

/**
 * Tells systemd how the service is (sd_notify(3)), where it asked to be told; does nothing elsewhere.
 *
 * Node has no datagram Unix sockets, so `systemd-notify` speaks in our name: the unit needs
 * `NotifyAccess=all`. It is not waited for, and a failure of it is passed to `onFailure`.
 */
export function notifySystemd(state: "READY=1" | "STOPPING=1", onFailure: (why: string) => void): void {
  if (!process.env["NOTIFY_SOCKET"]) return;
  const notify = spawn("systemd-notify", [`--pid=${process.pid}`, state], { stdio: "ignore" });
  notify.on("error", error => onFailure(error.message));
  notify.on("exit", status => {
    if (status) onFailure(`systemd-notify ended with status ${status}`);
  });
  notify.unref();
}
