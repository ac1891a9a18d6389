import { type Address, formatAddress } from "./address.js";

/** A Unix socket that is created at `path`. */
export interface SocketPath {
  /** Absolute, or relative to the working directory. */
  readonly path: string;
}

/** A socket that is bound and listens already, as one that a service manager passes on. */
export interface InheritedSocket {
  /** The file descriptor. */
  readonly fd: number;
}

/** Where clients are accepted. */
export type ListenTarget = Address | SocketPath | InheritedSocket;

const prefix = "unix:";

/**
 * The address of a Unix socket: its host is `unix:` and the path, its port 0. Clients of Unix sockets have no path: their
 * host is `unix:`.
 */
export function unixAddress(path = ""): Address {
  return { host: `${prefix}${path}`, port: 0 };
}

/** Whether an address is that of a Unix socket, or of one of its clients. No host name begins like that. */
export function isUnixAddress({ host }: Address): boolean {
  return host.startsWith(prefix);
}

/** For messages: `127.0.0.1:23790`, `unix:/run/gw.sock`, `descriptor 3`. */
export function formatListenTarget(target: ListenTarget): string {
  if ("path" in target) return formatAddress(unixAddress(target.path));
  return "fd" in target ? `descriptor ${target.fd}` : formatAddress(target);
}
