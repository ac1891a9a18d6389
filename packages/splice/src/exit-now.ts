import { loadAddon } from "./binding.js";

/**
 * Ends the process with this exit code at once, `_exit(2)`: unlike `process.exit` it waits for no thread of libuv's
 * pool, where `getaddrinfo` may take a quarter of a minute and cannot be given up. No exit handler runs.
 *
 * @throws {GatewayError} `unavailable` where there is no binary for this machine
 */
export function exitNow(code: number): never {
  return loadAddon().exitNow(code);
}
