import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import { type Address, GatewayError, withLocalZone } from "@gw/interface";

/** Carries whole messages to and from one server, over UDP or TCP. */
export interface Channel {
  /** Sends a query, as soon as the channel is open. */
  send(query: Buffer): void;
  /** Closes its socket. */
  close(): void;
}

/** Listeners of a channel; never called before the function that opens it has returned. */
interface ChannelEvents {
  onMessage(message: Buffer): void;
  /** The channel is broken. It must still be closed. */
  onFailure(error: unknown): void;
}

export type OpenChannel = (server: Address, events: ChannelEvents) => Channel;

/**
 * A UDP socket for one server: the operating system chooses a random port, and drops what
 * other hosts send to it (RFC 5452). Fails with the system's error, for a closed port at once.
 */
export const openUdp: OpenChannel = (server, { onMessage, onFailure }) => {
  const host = withLocalZone(server.host);
  const socket = createSocket(isIPv6(server.host) ? "udp6" : "udp4");
  let connected = false;
  const pending: Buffer[] = [];
  const fail = (error: unknown): void => onFailure(localErrorOf(error) ?? error);
  const send = (query: Buffer): void => socket.send(query, error => error && fail(error));
  socket.on("error", fail);
  socket.on("message", onMessage);
  socket.on("connect", () => {
    connected = true;
    for (const query of pending.splice(0)) send(query);
  });
  socket.connect(server.port, host);
  return {
    send: query => void (connected ? send(query) : pending.push(query)),
    close() {
      pending.length = 0;
      socket.removeAllListeners().on("error", () => {});
      socket.close();
    },
  };
};

/** What the system reports when a UDP socket gets no port because all are in use. */
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

/** Splits a stream into messages, each of them after its length in two bytes; buffers one message at most. */
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
