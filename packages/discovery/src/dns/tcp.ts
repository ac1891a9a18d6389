import { connect } from "node:net";
import { type Address, GatewayError, withLocalZone } from "@gw/interface";
import { decodeReply, encodeQuery, type Query, type Reply } from "./message.js";
import { type Limits, within } from "./within.js";

/**
 * Asks one server over TCP, over a connection of its own (RFC 7766). What is no reply to this query is passed
 * over. The time limit is for all of it, from the connection to the last byte.
 *
 * Rejects with the system's error, or with `reset` if the server ends the connection before it has answered;
 * see {@link within} for the rest.
 */
export function askOverTcp(server: Address, query: Query, limits: Limits): Promise<Reply> {
  return within<Reply>(limits, (resolve, reject) => {
    const message = encodeQuery(query);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    const readMessages = messageReader(packet => {
      const reply = decodeReply(packet, query);
      if (reply) resolve(reply);
    });
    const socket = connect({ host: withLocalZone(server.host), port: server.port, noDelay: true });
    socket.on("error", reject);
    socket.on("data", readMessages);
    socket.on("close", () => reject(new GatewayError("reset", "the connection ended before the answer")));
    socket.write(Buffer.concat([length, message]));
    return () => {
      socket.removeAllListeners().on("error", () => {});
      socket.destroy();
    };
  });
}

/** Splits a stream into messages, each behind its length in two bytes; holds one of them at most. */
function messageReader(onMessage: (message: Buffer) => void): (chunk: Buffer) => void {
  const prefix = Buffer.alloc(2);
  let filling = prefix;
  let filled = 0;
  return chunk => {
    for (let rest = chunk; rest.length > 0; ) {
      const taken = rest.copy(filling, filled);
      filled += taken;
      rest = rest.subarray(taken);
      if (filled < filling.length) continue;
      const isPrefix = filling === prefix;
      if (!isPrefix) onMessage(filling);
      filling = isPrefix ? Buffer.alloc(prefix.readUInt16BE()) : prefix;
      filled = 0;
    }
  };
}
