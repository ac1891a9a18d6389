import { lstat, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { GatewayError, type Listener, type ListenTarget, quote, type Relay } from "@gw/interface";

/** The longest path of a Unix socket, in bytes. Node would cut off a longer one. */
const longestPath = process.platform === "linux" ? 107 : 103;

/**
 * Checks what can be checked before listening.
 *
 * @throws {GatewayError} `invalid-option` for what is not of the form of a target, or not possible with `relay`
 */
export function checkTargets(targets: readonly ListenTarget[], relay: Relay): void {
  const descriptors = targets.flatMap(target => ("fd" in target ? target.fd : []));
  const twice = descriptors.find((fd, index) => descriptors.indexOf(fd) < index);
  // Each listener closes its own.
  if (twice !== undefined) throw new GatewayError("invalid-option", `listen: fd ${twice} is given twice`);
  for (const target of targets) checkTarget(target, relay);
}

function checkTarget(target: ListenTarget, relay: Relay): void {
  if (!("path" in target || "fd" in target)) return;
  const fail = (why: string): GatewayError => new GatewayError("invalid-option", `listen: ${why}`);
  if (process.platform === "win32") throw fail("paths and file descriptors are not possible on Windows");
  if (!relay.takesSockets) throw fail(`the relay ${relay.name} takes no paths and file descriptors`);
  if ("fd" in target) {
    if (Number.isInteger(target.fd) && target.fd >= 0 && target.fd < 2 ** 31) return;
    throw fail(`fd ${target.fd} is not a file descriptor`);
  }
  const { path } = target;
  if (path === "" || path.includes("\0")) throw fail(`path ${quote(path)} is not a path`);
  const bytes = Buffer.byteLength(path);
  if (bytes > longestPath)
    throw fail(`path has ${bytes} bytes, more than the ${longestPath} of a Unix socket`);
}

/**
 * Listens at `path` by `open`. Where it says that the path is in use, a socket file that no process listens on is
 * removed: one of a process that was killed.
 *
 * @throws {GatewayError} `address-in-use` if a process listens there, or the file is not a socket
 */
export async function listenAtPath(path: string, open: () => Promise<Listener>): Promise<Listener> {
  try {
    return await open();
  } catch (cause) {
    if (!(cause instanceof GatewayError && cause.code === "address-in-use")) throw cause;
    const file = await lstat(path).catch(() => undefined);
    if (file && !file.isSocket())
      throw new GatewayError("address-in-use", `listen on unix:${path}: the file there is not a socket`, {
        cause,
      });
    if (file && !(await isStale(path))) throw cause;
    // Another process may have replaced it meanwhile.
    if (file && (await lstat(path).catch(() => undefined))?.ino === file.ino) await remove(path);
    return await open();
  }
}

async function remove(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    throw GatewayError.from(error, `listen on unix:${path}: remove the file, on which no process listens`);
  }
}

/** Whether no process listens at the socket file `path`. */
function isStale(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const probe = connect({ path });
    probe.once("connect", () => {
      resolve(false);
      probe.destroy();
    });
    // Others, such as that its queue is full or that connecting is not permitted, do not say so.
    probe.once("error", ({ code }: NodeJS.ErrnoException) =>
      resolve(code === "ECONNREFUSED" || code === "ENOENT"),
    );
  });
}
