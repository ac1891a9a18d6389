import { lookup } from "node:dns/promises";
import { isIP, type Socket } from "node:net";
import { connectFirst, type Endpoint, GatewayError, interleaveFamilies, withLocalZone } from "@gw/interface";

/** Connects to an endpoint; the socket belongs to the caller. Rejects with the reason of `signal` when aborted. */
export type Dial = (endpoint: Endpoint, signal: AbortSignal) => Promise<Socket>;

/** How long one address may take to accept, in milliseconds; the check has a timeout of its own. */
const timeoutMs = 60_000;

/** Dials with what the operating system knows of names; the addresses of one as `dialRace` says. */
export async function dialTcp({ host, port }: Endpoint, signal: AbortSignal): Promise<Socket> {
  const addresses = isIP(host) ? [withLocalZone(host)] : await addressesOf(host);
  const targets = addresses.map(address => ({ host: address, port }));
  try {
    return (await connectFirst(targets, { timeoutMs, signal, allowHalfOpen: false })).socket;
  } catch (error) {
    // The caller names the address already, unless it has a name.
    if (isIP(host) && error instanceof GatewayError && error.cause) throw error.cause;
    throw error;
  }
}

async function addressesOf(host: string): Promise<readonly string[]> {
  try {
    return interleaveFamilies((await lookup(host, { all: true })).map(({ address }) => address));
  } catch (error) {
    throw GatewayError.from(error, `look up ${host}`);
  }
}
