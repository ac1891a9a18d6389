import { connect, type Socket } from "node:net";
import { type Endpoint, formatAddress, GatewayError } from "@gw/interface";
import { type Limits, within } from "../dns/within.js";

/** Names with more addresses are reachable if one of these is. */
const mostAddresses = 4;

/** Opens a TCP connection to an endpoint and closes it. @throws {GatewayError} why that cannot be done */
export async function connectable(
  endpoint: Endpoint,
  lookup: (host: string) => Promise<readonly string[]>,
  limits: Limits,
): Promise<void> {
  const doing = `connect to ${formatAddress(endpoint)}`;
  try {
    await within<void>(limits, (resolve, reject) => {
      const sockets: Socket[] = [];
      let over = false;
      lookup(endpoint.host).then(found => {
        const addresses = over ? [] : found.slice(0, mostAddresses);
        if (addresses.length === 0) reject(new GatewayError("name-not-resolved", "it has no address"));
        let failed = 0;
        for (const host of addresses)
          sockets.push(
            connect({ host, port: endpoint.port })
              .once("connect", () => resolve())
              .on("error", error => ++failed === addresses.length && reject(error)),
          );
      }, reject);
      return () => {
        over = true;
        for (const socket of sockets) socket.destroy();
      };
    });
  } catch (error) {
    if (error instanceof GatewayError) throw new GatewayError(error.code, `${doing}: ${error.detail}`);
    throw GatewayError.from(error, doing);
  }
}
