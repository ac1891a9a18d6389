import { fstatSync, readFileSync } from "node:fs";
import { GatewayError } from "@gw/interface";

/** A socket that listens. */
export interface ListeningSocket {
  /** Of a Unix socket: empty if it has none, `@` and a name if it is abstract. */
  readonly path?: string;
}

/**
 * What is known of a descriptor that is to listen. Node would also listen on a socket that is bound to nothing, and knows
 * the path of no socket that it did not create; on Linux the system's tables say more,
 * if the socket is of this network namespace.
 *
 * @throws {GatewayError} `invalid-option` if it is not open, is no socket, or does not listen
 */
export function listeningSocket(fd: number): ListeningSocket {
  const fail = (why: string): GatewayError => descriptorError(fd, why);
  let inode: string;
  try {
    const stats = fstatSync(fd, { bigint: true });
    if (!stats.isSocket()) throw fail("it is not a socket");
    inode = String(stats.ino);
  } catch (error) {
    throw error instanceof GatewayError ? error : fail("it is not open");
  }
  const unix = rowOf("unix", inode, 6);
  if (unix) {
    if ((Number.parseInt(unix[3] ?? "", 16) & acceptsConnections) === 0) throw fail("it does not listen");
    return { path: unix.slice(7).join(" ") };
  }
  const tcp = rowOf("tcp", inode, 9) ?? rowOf("tcp6", inode, 9);
  if (tcp && tcp[3] !== tcpListen) throw fail("it does not listen");
  return {};
}

/** Why a descriptor cannot be listened on. */
export function descriptorError(fd: number, why: string): GatewayError {
  return new GatewayError("invalid-option", `listen on descriptor ${fd}: ${why}`);
}

/** The flag of a Unix socket that listens: __SO_ACCEPTCON. */
const acceptsConnections = 0x10000;
/** The state of a TCP socket that listens. */
const tcpListen = "0A";

/** The fields of the row of the socket `inode`, which is in the given column. */
function rowOf(table: string, inode: string, column: number): readonly string[] | undefined {
  for (const line of linesOf(table)) {
    const fields = line.trim().split(/ +/);
    if (fields[column] === inode) return fields;
  }
  return undefined;
}

function linesOf(table: string): readonly string[] {
  try {
    return readFileSync(`/proc/net/${table}`, "utf8").split("\n").slice(1);
  } catch {
    return [];
  }
}
