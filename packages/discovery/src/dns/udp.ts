import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import { type Address, withLocalZone } from "@gw/interface";
import { decodeReply, encodeQuery, type Query, type Reply } from "./message.js";
import { type Limits, within } from "./within.js";

/**
 * Asks one server over UDP, once, from a socket of its own: the operating system chooses a random port, and
 * drops what others than the server send to it (RFC 5452). What is no reply to this query is passed over, and
 * the wait goes on.
 *
 * Rejects with the system's error, for a closed port at once; see {@link within} for the rest.
 */
export function askOverUdp(server: Address, query: Query, limits: Limits): Promise<Reply> {
  return within<Reply>(limits, (resolve, reject) => {
    const host = withLocalZone(server.host);
    const socket = createSocket(isIPv6(server.host) ? "udp6" : "udp4");
    socket.on("error", reject);
    socket.on("message", packet => {
      const reply = decodeReply(packet, query);
      if (reply) resolve(reply);
    });
    socket.on("connect", () => socket.send(encodeQuery(query), error => error && reject(error)));
    socket.connect(server.port, host);
    return () => {
      socket.removeAllListeners().on("error", () => {});
      socket.close();
    };
  });
}
