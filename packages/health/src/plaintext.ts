import type { Socket } from "node:net";

/**
 * Whether a server that hung up on a TLS handshake answers a question in plain text, as an etcd without TLS
 * does. What a TLS server may say to it, an alert or HTTP's "400 Bad Request", is no such answer. Never rejects;
 * closes `socket`.
 */
export function answersPlaintext(socket: Socket, signal: AbortSignal): Promise<boolean> {
  return new Promise(resolve => {
    const end = (answer: boolean): void => {
      signal.removeEventListener("abort", giveUp);
      socket.destroy();
      resolve(answer);
    };
    const giveUp = (): void => end(false);
    signal.addEventListener("abort", giveUp);
    socket.once("data", (data: Buffer) =>
      end(data[0] !== alert && !/^HTTP\/1\.\d 400 /.test(data.toString())),
    );
    socket.once("close", giveUp);
    socket.on("error", giveUp);
    socket.write("GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    socket.resume();
    if (signal.aborted) giveUp();
  });
}

/** The type of a TLS record that holds an alert (RFC 8446, 5.1). */
const alert = 0x15;
