import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import { GatewayError, withLocalZone } from "@gw/interface";
import type { OpenChannel } from "./channel.js";

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
