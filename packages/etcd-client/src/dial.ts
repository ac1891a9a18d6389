import { lookup as systemLookup } from "node:dns/promises";
import { isIP, type Socket } from "node:net";
import {
  connectFirst,
  type Deadline,
  type Endpoint,
  GatewayError,
  interleaveFamilies,
  withLocalZone,
} from "@gw/interface";

/** Connects to an endpoint; the socket belongs to the caller. Rejects with the reason of `signal` when aborted. */
export type Dial = (endpoint: Endpoint, signal: AbortSignal) => Promise<Socket>;

/** Resolves a host name to IP addresses, best first. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** For one address, in milliseconds: none, since each operation has a deadline of its own. */
const timeoutMs = 2 ** 31 - 1;

/**
 * Dials the addresses of a host as `dialRace` says, and resolves with the first connection.
 *
 * @param lookup resolves host names. @default the operating system
 */
export function createDial(lookup: Lookup = lookUp): Dial {
  return async ({ host, port }, signal) => {
    const addresses = isIP(host) ? [withLocalZone(host)] : interleaveFamilies(await lookup(host));
    if (addresses.length === 0) throw new GatewayError("name-not-resolved", `${host} has no address`);
    const targets = addresses.map(address => ({ host: address, port }));
    try {
      return (await connectFirst(targets, { timeoutMs, signal, allowHalfOpen: false })).socket;
    } catch (error) {
      // The caller names the address already, unless it has a name.
      if (isIP(host) && error instanceof GatewayError && error.cause) throw error.cause;
      throw error;
    }
  };
}

/**
 * Dials until the deadline. The socket is prepared for Node's clients: it reads, and it closes when the server has ended; a
 * relay's dial may return one that is paused and half-open.
 */
export async function dialClient(dial: Dial, endpoint: Endpoint, deadline: Deadline): Promise<Socket> {
  const socket = await deadline.bound(dial(endpoint, deadline.signal), late => late.destroy());
  socket.allowHalfOpen = false;
  return socket.resume();
}

async function lookUp(host: string): Promise<readonly string[]> {
  try {
    return (await systemLookup(host, { all: true })).map(({ address }) => address);
  } catch (error) {
    throw GatewayError.from(error, `look up ${host}`);
  }
}
