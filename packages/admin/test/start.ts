import { type AdminGateway, type AdminServerOptions, createAdminServer } from "@gw/admin";
import { connectTo, outcome } from "@gw/testing";
import { sampleGateway } from "./sample.js";

/** A server of a test, at a free port of 127.0.0.1. */
export interface Started extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** What `onError` was told. */
  readonly errors: readonly string[];
  /** Sends `request` on a connection of its own and resolves with all that comes back until the server closes it. */
  exchange(request: string | Buffer): Promise<string>;
  close(): Promise<void>;
}

export async function startAdmin(
  gateway: Partial<AdminGateway> = {},
  options: Partial<AdminServerOptions> = {},
): Promise<Started> {
  const errors: string[] = [];
  const server = await createAdminServer({
    gateway: sampleGateway(gateway),
    listen: [{ host: "127.0.0.1", port: 0 }],
    onError: error => errors.push(error.message),
    ...options,
  });
  const port = Number(server.addresses[0]?.split(":").at(-1));
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    errors,
    async exchange(request) {
      const socket = await connectTo(port);
      const ended = outcome(socket);
      socket.write(request);
      const { received } = await ended;
      socket.destroy();
      return received.toString("latin1");
    },
    close: () => server.close(),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** A request without a body; its connection ends after the answer. */
export function get(target: string, ...headers: readonly string[]): string {
  return [`GET ${target} HTTP/1.1`, "Host: localhost", "Connection: close", ...headers, "", ""].join("\r\n");
}

/** The statuses of all answers in `received`. */
export function statusesOf(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

/** The statuses of what comes back for `request`. */
export async function statusesFor(admin: Started, request: string | Buffer): Promise<number[]> {
  return statusesOf(await admin.exchange(request));
}
