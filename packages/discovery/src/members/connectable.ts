import { type Endpoint, formatAddress, GatewayError, type Limits, withTimeout } from "@gw/interface";
import { connectTo } from "./post.js";

/** Opens a TCP connection to an endpoint and closes it. @throws {GatewayError} why that cannot be done */
export async function connectable(
  endpoint: Endpoint,
  lookup: (host: string) => Promise<readonly string[]>,
  limits: Limits,
): Promise<void> {
  const doing = `connect to ${formatAddress(endpoint)}`;
  try {
    await withTimeout<void>(limits, (resolve, reject) => {
      const connecting = new AbortController();
      connectTo(endpoint, { lookup, timeoutMs: limits.timeoutMs }, connecting.signal)
        .then(socket => {
          socket.on("error", () => {}).destroy();
          resolve();
        })
        .catch(reject);
      return () => connecting.abort(new GatewayError("aborted", "given up"));
    });
  } catch (error) {
    if (error instanceof GatewayError) throw new GatewayError(error.code, `${doing}: ${error.detail}`);
    throw GatewayError.from(error, doing);
  }
}
