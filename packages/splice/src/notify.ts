import { GatewayError } from "@gw/interface";
import { errnoName, loadAddon } from "./binding.js";

/**
 * Tells the service manager a state, as sd_notify(3) does: one datagram, sent at once or not at all.
 *
 * @param socket the value of `NOTIFY_SOCKET`: a path, or a name of the abstract namespace behind `@`
 * @param state lines such as `READY=1`
 * @throws {GatewayError} `unavailable` where there is no native binary, or the datagram cannot be sent
 */
export function notifyService(socket: string, state: string): void {
  const error = loadAddon().notify(socket, state);
  if (error !== 0) throw new GatewayError("unavailable", `notify the service manager: ${errnoName(error)}`);
}
