import { isIPv4 } from "node:net";

/** Whether a host is every machine's own: `localhost` (RFC 6761) and the addresses of the loopback interface. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^::ffff:(?=\d+\.)/, "");
  return (
    /(?:^|\.)localhost\.?$/.test(host) || host === "::1" || (isIPv4(address) && address.startsWith("127."))
  );
}
