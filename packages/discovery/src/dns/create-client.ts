import { isIP } from "node:net";
import { GatewayError, quote } from "@gw/interface";
import type { DnsClient, DnsClientOptions } from "./client.js";

/**
 * Creates a client that queries the system's name servers, or given ones, over UDP, and TCP where answers are truncated.
 * It opens nothing before its first look-up, so it need not be closed.
 *
 * @throws {GatewayError} `invalid-option`
 */
export function createDnsClient(options: DnsClientOptions = {}): DnsClient {
  validate(options);
  // The DNS code is loaded only if there is a client; but not as late as the first look-up, when there may be no file
  // descriptor left to load it with.
  const loading = import("./search.js").then(({ createSearchingClient }) => createSearchingClient(options));
  // Each look-up rejects with this failure.
  loading.catch(() => {});
  return {
    srv: async (name, options) => (await loading).srv(name, options),
    addresses: async (name, options) => (await loading).addresses(name, options),
    forget() {
      loading.then(
        client => client.forget(),
        () => {},
      );
    },
  };
}

function validate({ servers, timeoutMs, attempts }: DnsClientOptions): void {
  if (servers?.length === 0) throw new GatewayError("invalid-option", "the list of DNS servers is empty");
  for (const { host } of servers ?? [])
    if (isIP(host) === 0)
      throw new GatewayError("invalid-option", `DNS server ${quote(host)} is not an IP address`);
  if (timeoutMs !== undefined && !(timeoutMs > 0 && timeoutMs <= 0x7fff_ffff))
    throw new GatewayError("invalid-option", "the DNS timeout must be more than 0");
  if (attempts !== undefined && !(Number.isInteger(attempts) && attempts > 0))
    throw new GatewayError("invalid-option", "the number of DNS attempts must be a whole number above 0");
}
