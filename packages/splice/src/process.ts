import { GatewayError } from "@gw/interface";
import { errnoName, loadAddon } from "./binding.js";

/**
 * Ends the process with this exit code at once, `_exit(2)`: unlike `process.exit` it waits for no thread of libuv's
 * pool, where `getaddrinfo` may take a quarter of a minute and cannot be cancelled. No exit handler runs.
 *
 * @throws {GatewayError} `unavailable` where there is no binary for this machine
 */
export function exitNow(code: number): never {
  return loadAddon().exitNow(code);
}

/**
 * Sends a state to the service manager, as sd_notify(3) does: one datagram, sent at once or not at all.
 *
 * @param socket the value of `NOTIFY_SOCKET`: a path, or a name of the abstract namespace behind `@`
 * @param state lines such as `READY=1`
 * @throws {GatewayError} `unavailable` where there is no native binary, or the datagram cannot be sent
 */
export function notifyService(socket: string, state: string): void {
  const error = loadAddon().notify(socket, state);
  if (error !== 0) throw new GatewayError("unavailable", `notify the service manager: ${errnoName(error)}`);
}
