import { connect, type Socket } from "node:net";
import type { Endpoint } from "@gw/interface";

/** Connects to an endpoint; the socket belongs to the caller. Rejects with the reason of `signal` when aborted. */
export type Dial = (endpoint: Endpoint, signal: AbortSignal) => Promise<Socket>;

/** Dials with what the operating system knows of names. */
export function dialTcp({ host, port }: Endpoint, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const giveUp = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    const settle = (): void => signal.removeEventListener("abort", giveUp);
    signal.addEventListener("abort", giveUp);
    socket.once("close", settle);
    socket.once("error", reject);
    socket.once("connect", () => {
      settle();
      socket.off("error", reject);
      resolve(socket);
    });
  });
}
