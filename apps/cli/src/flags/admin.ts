import { type Address, formatAddress, GatewayError, parseAddress, quote } from "@gw/interface";
import { boolean, type Flag, flag } from "./flag.js";

/** Where the admin server of a gateway is: an address, or the path of a socket file. */
export type AdminAddress = Address | { readonly path: string };

/** What socket files begin with in flags and messages. */
const socketScheme = "unix:";
/** The longest path of a socket file that every system takes, in bytes: macOS has 104 with the final zero. */
const maxPathBytes = 103;

/** `--admin-addr`, which `gw start` and the commands that talk to a gateway share. */
export const adminAddrFlag: Flag<AdminAddress> = flag(
  "<address>",
  {
    name: "admin-addr",
    group: "Admin",
    help: "address or unix:PATH of the admin server",
    byDefault: "none, it is off",
  },
  parseAdminAddress,
);

/** The flags of the admin server. */
export const adminFlags = {
  adminAddr: adminAddrFlag,
  adminActions: boolean({
    name: "admin-actions",
    group: "Admin",
    help: "whether the admin server takes actions, such as drain",
    byDefault: "false",
  }),
};

/**
 * Reads `host:port`, or `unix:` and the path of a socket file.
 *
 * @throws {GatewayError} `invalid-address`
 */
function parseAdminAddress(text: string): AdminAddress {
  if (text.startsWith(socketScheme)) return { path: parsePath(text.slice(socketScheme.length)) };
  try {
    return parseAddress(text, { allowPortZero: true });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError("invalid-address", `admin address ${quote(text)}: ${error.detail}`);
  }
}

/** As {@link parseAdminAddress} reads it. */
export function formatAdminAddress(address: AdminAddress): string {
  return "path" in address ? `${socketScheme}${address.path}` : formatAddress(address);
}

/** Whether only programs of this machine can connect to it. A name other than `localhost` may lead anywhere. */
export function isLocalAddress(address: AdminAddress): boolean {
  if ("path" in address) return true;
  const { host } = address;
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function parsePath(path: string): string {
  if (path !== "" && !path.includes("\0") && Buffer.byteLength(path) <= maxPathBytes) return path;
  throw new GatewayError(
    "invalid-address",
    path === ""
      ? `${quote(socketScheme)} has no path; write unix:/run/gw.sock, say`
      : `the path ${quote(path)} is not that of a socket file: it may have ${maxPathBytes} bytes and no zero byte`,
  );
}
