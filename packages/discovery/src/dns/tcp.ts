import { connect } from "node:net";
import { GatewayError, withLocalZone } from "@gw/interface";
import type { OpenChannel } from "./channel.js";

/**
 * A TCP connection to one server (RFC 7766). Fails with the system's error, or with `reset` when the server ends
 * the connection.
 */
export const openTcp: OpenChannel = (server, { onMessage, onFailure }) => {
  const socket = connect({ host: withLocalZone(server.host), port: server.port, noDelay: true });
  socket.on("error", onFailure);
  socket.on("data", messageReader(onMessage));
  socket.on("close", () => onFailure(new GatewayError("reset", "the connection ended before the answer")));
  return {
    send(query) {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(query.length);
      socket.write(Buffer.concat([length, query]));
    },
    close() {
      socket.removeAllListeners().on("error", () => {});
      socket.destroy();
    },
  };
};

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
