import { constants, fstatSync, openSync } from "node:fs";

/**
 * What to write to so that nothing waits for whoever reads standard output (1) or standard error (2).
 *
 * A write to a pipe that is full, or to a terminal that was stopped, waits for as long as nobody reads: it would keep a
 * thread, and the process from ending. Linux lets us open a pipe or a terminal once more for ourselves, which does not
 * wait; elsewhere, and for sockets, Node's own stream makes the descriptor such a one.
 */
export function nonBlocking(fd: 1 | 2): number {
  try {
    // As bigint, because of what realpathSync does: it looks at the numbers of the newest other call of fstat, takes the
    // path for a pipe, and modules are not found any more (seen in Node 20).
    const stats = fstatSync(fd, { bigint: true });
    if (stats.isFile()) return fd;
    if (process.platform === "linux" && (stats.isFIFO() || stats.isCharacterDevice()))
      return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // Closed, or somebody else's. Writing tells.
  }
  try {
    void (fd === 1 ? process.stdout : process.stderr);
  } catch {
    // There is no such stream.
  }
  return fd;
}
