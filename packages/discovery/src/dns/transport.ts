import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import { type Address, GatewayError, withLocalZone } from "@gw/interface";

/** A way to one server that carries whole messages, over UDP or TCP. */
export interface Channel {
  /** Sends a query; until the channel is open it waits. */
  send(query: Buffer): void;
  /** Releases what the channel holds. */
  close(): void;
}

/** What a channel reports, never before the function that opens it has returned. */
interface ChannelEvents {
  onMessage(message: Buffer): void;
  /** The channel is of no use any more. It has to be closed all the same. */
  onFailure(error: unknown): void;
}

export type OpenChannel = (server: Address, events: ChannelEvents) => Channel;

/**
 * A UDP socket for one server: the operating system chooses a random port, and drops what others than the server
 * send to it (RFC 5452). Fails with the system's error, for a closed port at once.
 */
export const openUdp: OpenChannel = (server, { onMessage, onFailure }) => {
  const host = withLocalZone(server.host);
  const socket = createSocket(isIPv6(server.host) ? "udp6" : "udp4");
  let connected = false;
  const waiting: Buffer[] = [];
  const fail = (error: unknown): void => onFailure(localErrorOf(error) ?? error);
  const send = (query: Buffer): void => socket.send(query, error => error && fail(error));
  socket.on("error", fail);
  socket.on("message", onMessage);
  socket.on("connect", () => {
    connected = true;
    for (const query of waiting.splice(0)) send(query);
  });
  socket.connect(server.port, host);
  return {
    send: query => void (connected ? send(query) : waiting.push(query)),
    close() {
      waiting.length = 0;
      socket.removeAllListeners().on("error", () => {});
      socket.close();
    },
  };
};

/** Where all ports are taken, a UDP socket gets none, and the system calls that by names of its own. */
function localErrorOf(error: unknown): GatewayError | undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "EADDRINUSE" && code !== "EAGAIN") return undefined;
  return new GatewayError("address-not-available", `no free port (${code})`, { cause: error });
}

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
