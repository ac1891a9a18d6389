import { createDial, createHttpClient, createTlsContext, type HttpResponse } from "@gw/etcd-client";
import { type Address, systemClock } from "@gw/interface";

/**
 * One GET on a connection of its own: through a gateway it shows where a new connection goes.
 *
 * @param options.timeoutMs for the whole response, in milliseconds
 * @throws {GatewayError} which begins with `get` and the path
 */
export function httpGet(
  address: Address,
  path: string,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<HttpResponse> {
  const http = createHttpClient({
    dial: createDial(),
    clock: systemClock,
    tls: createTlsContext({}),
    operation: () => `get ${path}`,
  });
  return http.request({ ...address, priority: 0, weight: 0 }, { path }, options);
}
