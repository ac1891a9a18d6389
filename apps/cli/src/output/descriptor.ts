import { constants, fstatSync, openSync } from "node:fs";

/**
 * A descriptor for standard output (1) or standard error (2) whose writes do not block.
 *
 * A write to a pipe that is full, or to a terminal that was stopped, blocks until it is read: it would occupy a thread, and
 * keep the process from ending. On Linux a pipe or a terminal is opened a second time, as non-blocking; on other systems,
 * and for sockets, Node's own stream makes the descriptor non-blocking.
 */
export function nonBlocking(fd: 1 | 2): number {
  try {
    // As bigint: realpathSync of Node 20 reads the result of the newest other call of fstat, takes the path for a pipe, and
    // modules are not found any more.
    const stats = fstatSync(fd, { bigint: true });
    if (stats.isFile()) return fd;
    if (process.platform === "linux" && (stats.isFIFO() || stats.isCharacterDevice()))
      return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // It is closed or not ours; a write will fail with the reason.
  }
  try {
    void (fd === 1 ? process.stdout : process.stderr);
  } catch {
    // There is no such stream.
  }
  return fd;
}
