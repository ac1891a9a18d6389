import type { Server } from "node:net";
import { type Address, formatAddress, GatewayError } from "@gw/interface";

/** Connections that wait to be accepted; the kernel takes less if it allows less (`somaxconn`). */
const backlog = 4096;

/**
 * Lets `server` listen; resolves with where.
 *
 * @throws {GatewayError} `address-in-use`, `not-permitted`, …
 */
export function bind(server: Server, { host, port }: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    const onError = (error: unknown): void => {
      reject(GatewayError.from(error, `listen on ${formatAddress({ host, port })}`));
    };
    server.once("error", onError);
    server.listen({ host, port, backlog }, () => {
      server.off("error", onError);
      const bound = server.address();
      resolve(
        bound && typeof bound === "object" ? { host: bound.address, port: bound.port } : { host, port },
      );
    });
  });
}
