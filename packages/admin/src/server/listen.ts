import { lookup } from "node:dns/promises";
import { once } from "node:events";
import type { Server } from "node:http";
import { isIP, type ListenOptions } from "node:net";
import { type Address, formatAddress, GatewayError } from "@gw/interface";
import { clearSocketFile, withPrivateFiles } from "./socket-file.js";

/** Where the admin server listens: an address, or the file of a Unix socket. */
export type AdminListen = Address | { readonly path: string };

/** A server that listens, and how it is called in logs. */
export interface Listening {
  readonly server: Server;
  /** `127.0.0.1:2381`, `[::1]:2381`, `unix:/run/gw/admin.sock` */
  readonly address: string;
}

/** Connections that wait to be accepted, at each address. */
const backlog = 64;

/**
 * Listens at one target; a name means all its addresses, on one port. Addresses that this machine does not have (`::1` of
 * localhost, where there is no IPv6) are left out.
 *
 * @param createServer makes a server for each address
 * @throws {GatewayError} why it is not possible; then nothing listens
 */
export async function listenAt(
  target: AdminListen,
  createServer: () => Server,
): Promise<readonly Listening[]> {
  if ("path" in target) return [await listenAtPath(target.path, createServer())];
  const listening: Listening[] = [];
  const skipped: GatewayError[] = [];
  let { port } = target;
  for (const host of await addressesOf(target.host)) {
    const server = createServer();
    try {
      await listen(server, { host, port, backlog, exclusive: true });
    } catch (error) {
      const failure = GatewayError.from(error, `listen at ${formatAddress({ host, port })} for --admin-addr`);
      if (failure.code !== "address-not-available" && failure.code !== "unreachable") {
        for (const { server: open } of listening) open.close();
        throw failure;
      }
      skipped.push(failure);
      continue;
    }
    port = portOf(server);
    listening.push({ server, address: formatAddress({ host, port }) });
  }
  if (listening.length === 0 && skipped[0]) throw skipped[0];
  return listening;
}

async function listenAtPath(path: string, server: Server): Promise<Listening> {
  await clearSocketFile(path);
  try {
    await withPrivateFiles(() => listen(server, { path, backlog, exclusive: true }));
  } catch (error) {
    throw GatewayError.from(error, `listen at unix:${path} for --admin-addr`);
  }
  return { server, address: `unix:${path}` };
}

/** Binds at once, synchronously. */
function listen(server: Server, options: ListenOptions): Promise<unknown> {
  const listening = once(server, "listening");
  server.listen(options);
  return listening;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function addressesOf(host: string): Promise<readonly string[]> {
  if (isIP(host.replace(/%.*/, "")) !== 0) return [host];
  try {
    const found = await lookup(host, { all: true });
    return [...new Set(found.map(({ address }) => address))];
  } catch (error) {
    throw GatewayError.from(error, `look up ${host} for --admin-addr`);
  }
}
