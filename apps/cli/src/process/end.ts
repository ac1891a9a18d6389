/** Work of libuv's thread pool, which `process.exit` waits for: look-ups and files that hang. */
const pooled = /^(?:GetAddrInfoReqWrap|GetNameInfoReqWrap|FSReqCallback|FSReqPromise)$/;

let closed = false;

/**
 * To be called where the terminal of this process was closed. Node sets the modes of its terminals back when it exits, and
 * aborts, with a core, where a terminal is there no more.
 */
export function terminalClosed(): void {
  closed = true;
}

/**
 * Ends the process with this exit code, without waiting for look-ups that are under way. What was written to stdout
 * and stderr must have been taken by the system already.
 */
export async function endProcess(code: number): Promise<void> {
  if (closed || process.getActiveResourcesInfo().some(resource => pooled.test(resource))) {
    // The relay resets open connections on this event; otherwise they would end as if all bytes were sent.
    process.emit("exit", code);
    try {
      const { exitNow } = await import("@gw/splice");
      exitNow(code);
    } catch {
      replaceProcess(code);
    }
  }
  process.exit(code);
}

/** Node 22.15 and later, not on Windows: a program in this one's place has no threads that could be waited for. */
function replaceProcess(code: number): void {
  const { execve } = process as { execve?: (file: string, args: readonly string[]) => never };
  try {
    // Which is experimental.
    process.removeAllListeners("warning");
    execve?.call(process, "/bin/sh", ["sh", "-c", `exit ${code}`]);
  } catch {
    // There is no shell, or it must not be run: the look-ups are waited for.
  }
}
